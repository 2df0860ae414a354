#pragma once

// Dense causal attention of some heads by LibTorch's GPU kernels: cuDNN where a shape comes back
// often enough to be worth its plan, flash otherwise.

#include <span>

#include "engine/attention/head_mode.h"

namespace elastic::engine {

/// True where cuDNN's plan for the call's row counts pays.
bool worth_a_plan(const AttentionInput& input);

/// Heads of `kv_heads`, written to out [heads_q, rows, head_dim]; what device_kernels_take().
void dense_attention(const AttentionInput& input, std::span<const int> kv_heads, at::Tensor& out);

}  // namespace elastic::engine
