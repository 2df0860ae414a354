#pragma once

// Streaming masks as a few rectangles that any dense attention kernel can run: the rows before the
// window closes are one causal rectangle; every later block of 128 rows sees the sink and a window
// of fixed width, so all of them are one batch over overlapping views of K and V (nothing is
// copied), merged with the sink's rectangle by log-sum-exp. Exactly the keys of streaming_mask()
// with block = 128. Works on any device that brings a kernel.
//
//   if (const auto band = find_band(mask, input.span())) band_attention(*band, input, kv_heads,
//   kernel, out);

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>

#include "engine/attention/head_mode.h"
#include "engine/kernels/block_mask.h"

namespace elastic::engine {

/// Query blocks [0, dense_blocks) see every causal key; the others [0, sink) and the `window` keys
/// up to the end of their own block. sink and window in tokens, window a multiple of kMaskBlock.
struct Band {
  std::int64_t blocks = 0, dense_blocks = 0;
  std::int64_t sink = 0, window = 0;
};

/// The band that a mask is, or nothing where it is another shape (other masks per head, token
/// windows, rows that start inside a block).
std::optional<Band> find_band(const BlockMask& mask, const RowSpan& span);

struct PartialAttention {
  at::Tensor out;  // [batch, heads_q, rows, head_dim]
  at::Tensor lse;  // fp32 [batch, heads_q, rows], natural log-sum-exp of the scaled scores
};

/// Dense attention of q [batch, heads_q, rows, head_dim] over k, v [batch, heads_kv, keys,
/// head_dim], any strides but 1 in the last dimension. Causal: row i sees keys j <= keys - rows +
/// i.
using DenseKernel = PartialAttention (*)(const at::Tensor& q, const at::Tensor& k,
                                         const at::Tensor& v, double scale, bool causal);

/// The mean of two partial attentions over disjoint keys, weighted by exp(lse), in fp32; shapes as
/// above.
PartialAttention merge_attention(const PartialAttention& a, const PartialAttention& b);

/// As HeadMode::forward.
void band_attention(const Band& band, const AttentionInput& input, std::span<const int> kv_heads,
                    DenseKernel kernel, at::Tensor& out);

/// Dense causal attention of the heads, as HeadMode::forward.
void causal_attention(const AttentionInput& input, std::span<const int> kv_heads,
                      DenseKernel kernel, at::Tensor& out);

}  // namespace elastic::engine
