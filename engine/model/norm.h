#pragma once

// RMS normalisation over the last dimension, computed in fp32 and rounded to the input's dtype
// before the weight is applied:  y = round(x / sqrt(mean(x^2) + eps)) * weight.

#include <ATen/core/Tensor.h>

namespace elastic::engine {

/// x [..., n], at most three dimensions, contiguous in the last; weight [n]. A new contiguous
/// tensor, dtype of x.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

}  // namespace elastic::engine
