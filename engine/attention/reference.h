#pragma once

// Dense masked attention in double precision, straight from the definition: every pair is asked of
// is_visible(). The truth that modes, kernels and benches are compared with; slow on purpose.

#include <ATen/core/Tensor.h>

#include <span>

#include "engine/attention/head_mode.h"

namespace elastic::engine {

struct ReferenceAttention {
  at::Tensor
      out;  // fp64 [heads_q, rows, head_dim]; 0 for heads not asked for and rows that see nothing
  at::Tensor lse;  // fp64 [heads_q, rows]; -inf there
};

/// CPU tensors of any floating dtype, widened to double first.
ReferenceAttention reference_attention(const AttentionInput& input, std::span<const int> kv_heads,
                                       const BlockMask& mask);

}  // namespace elastic::engine
