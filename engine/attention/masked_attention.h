#pragma once

// Attention under a block mask: the one place where the device is looked at. CPU tensors go to the
// tiled kernels of engine/kernels; tensors of an accelerator to the functions that its library put
// into device_attention() when it was loaded, else to composed_attention().

#include <ATen/core/Tensor.h>

#include <span>

#include "engine/attention/head_mode.h"

namespace elastic::engine {

/// `out` as in HeadMode::forward. `lse`, where given, is fp32 [heads_q, rows] and receives the
/// natural log-sum-exp of each row's scaled scores (-inf for a row with nothing visible).
void masked_attention(const AttentionInput& input, std::span<const int> kv_heads,
                      const BlockMask& mask, at::Tensor& out, at::Tensor* lse = nullptr);

/// The same from ATen operations on any device, in slices of query rows over the union of their key
/// ranges, so that memory stays linear in the number of tokens.
void composed_attention(const AttentionInput& input, std::span<const int> kv_heads,
                        const BlockMask& mask, at::Tensor& out, at::Tensor* lse = nullptr);

/// What the kernels of an accelerator library take; the rest goes through composed_attention().
inline bool device_kernels_take(at::ScalarType type, std::int64_t head_dim) {
  return (type == at::kBFloat16 || type == at::kHalf) && head_dim % 8 == 0 && head_dim <= 256;
}

/// Attention of an accelerator library; a null `dense` or `masked` means composed_attention().
struct DeviceAttention {
  // mask.dense only
  void (*dense)(const AttentionInput&, std::span<const int> kv_heads, at::Tensor& out) = nullptr;
  void (*masked)(const AttentionInput&, std::span<const int> kv_heads, const BlockMask&,
                 at::Tensor& out) = nullptr;
  // One query position q [heads_kv, group, head_dim] over all of k, v [heads_kv, tokens, head_dim];
  // the result has q's shape. Any number of tokens runs at the same speed the first time.
  at::Tensor (*decode)(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) = nullptr;
};

/// The table in use; a library that is loaded at run time assigns it once, before any model runs.
DeviceAttention& device_attention();

}  // namespace elastic::engine
