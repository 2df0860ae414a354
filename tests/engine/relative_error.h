#pragma once

// How far a tensor is from what it should be, in one number.

#include <ATen/TensorOperators.h>

namespace elastic::testing {

/// ||got - wanted|| / ||wanted||, in float64, without a gradient.
inline double relative_error(const at::Tensor& got, const at::Tensor& wanted) {
  const at::Tensor truth = wanted.detach().to(at::kDouble);
  return ((got.detach().to(at::kDouble) - truth).norm() / truth.norm()).item<double>();
}

}  // namespace elastic::testing
