#pragma once

// Attention of one new token against a cache, without expanding K/V to the query heads: the heads
// of a group are the rows of one small matrix that meets its KV head's keys.

#include <ATen/core/Tensor.h>

#include <vector>

#include "engine/model/kv_cache.h"

namespace elastic::engine {

/// q [heads_kv, group, head_dim] with RoPE applied; every view's heads attend to all its rows,
/// scale 1/sqrt(head_dim). Written to out, same shape as q.
void decode_attention(const at::Tensor& q, const std::vector<KvView>& views, const at::Tensor& out);

}  // namespace elastic::engine
