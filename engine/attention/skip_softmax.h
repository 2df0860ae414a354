#pragma once

// Attention that passes over tiles (SkipRule), composed of ATen operations on any device. It says
// what such a kernel computes and saves nothing itself: scores are made for every tile, values of
// tiles that were passed over are multiplied by 0.

#include <ATen/core/Tensor.h>

#include <span>

#include "engine/attention/head_mode.h"

namespace elastic::engine {

/// As AttentionBackend::prefill() of heads that see every key; `tiles` as in HeadGroups. One query
/// tile at a time, so that rows in chunks of whole tiles give what they give together, to the bit.
void skip_softmax_attention(const AttentionInput& input, std::span<const int> kv_heads,
                            const SkipRule& rule, const at::Tensor& tiles, at::Tensor& out,
                            at::Tensor* lse);

}  // namespace elastic::engine
