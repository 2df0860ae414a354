#pragma once

// Attention of one new token of each sequence of a batch, in one call of the device's backend,
// without expanding K/V to the query heads: the heads of a group are the rows of one small matrix
// that meets its KV head's keys.

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "engine/model/kv_cache.h"

namespace elastic::engine {

/// q [heads_kv, group, head_dim] with RoPE applied; every view's heads attend to all its rows,
/// scale 1/sqrt(head_dim). Written to out, same shape as q.
struct DecodeRead {
  at::Tensor q;
  std::vector<KvView> views;
  at::Tensor out;
};

void decode_attention(std::span<const DecodeRead> reads);

}  // namespace elastic::engine
