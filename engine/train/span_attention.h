#pragma once

// Differentiable causal attention over a packed stream of documents, memory linear in its length.
// Full: every row sees its own document. Sparse: the blocks of 128 keys that a head mode's mask
// names; the key blocks that a query block sees are gathered side by side, so that plain causal
// attention of each block over its own keys is exactly the mask. Both run as segments of one
// variable-length kernel: LibTorch's flash attention or cuDNN on the GPU (fp16/bf16), a blockwise
// composition elsewhere; long documents go forward through the device's own attention kernel.
//
//   const LayoutPtr layout = make_layout(offsets, tokens, &mode);         // host
//   const at::Tensor out = full_attention(q, k, v, layout, scale);
//   const at::Tensor sparse = sparse_attention(q, k, v, layout, mode, layer, scale);

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/attention/head_mode.h"

namespace elastic::engine {

/// Segment s: query rows [q[s], q[s+1]) see keys [k[s], k[s+1]),
/// causal with the last key under the last row.
struct Spans {
  std::vector<std::int64_t> q, k;   // cumulative, from 0
  at::Tensor q_offsets, k_offsets;  // the same, int32
  std::int64_t max_q = 0, max_k = 0;
};

/// Query rows [first_row, first_row + rows), whole blocks, against gathered key blocks.
struct BlockChunk {
  std::int64_t first_row = 0, rows = 0;
  std::int64_t query_head = -1;  // alone; -1 = all heads see the same keys
  at::Tensor key_blocks;         // int64: blocks of the stream, in the order of spans.k
  Spans spans;
};

struct AttentionLayout {
  Spans documents;
  std::vector<Spans> apart;          // each document by itself; empty where one of them is short
  std::vector<std::int64_t> tokens;  // of each document, without the rows that fill its last block
  std::vector<BlockChunk> chunks;    // of the sparse mode; empty where it looks at q and k first
};
using LayoutPtr = std::shared_ptr<const AttentionLayout>;

/// `offsets`: cumulative rows of the documents. With a sparse mode (null = none) they are multiples
/// of kMaskBlock, of which the documents fill `tokens` each.
LayoutPtr make_layout(const std::vector<std::int64_t>& offsets,
                      const std::vector<std::int64_t>& tokens, const HeadMode* sparse);

/// The layout with its tensors on `device`.
LayoutPtr move_layout(const LayoutPtr& layout, at::Device device);

/// KV heads of each document.
using HeadsOfDocuments = std::vector<std::vector<int>>;

struct SpanResult;  // span_kernel.h

/// What a caller knows of one attention and its gradient.
struct AttentionUse {
  std::optional<HeadsOfDocuments> gradients;  // heads that get one; the others' are zeros
  // A place for the result: filled by the first of two equal calls, emptied by the second, which
  // computes nothing. Null: every call computes.
  SpanResult* kept = nullptr;
};

/// q [rows, heads_q, head_dim], k and v [rows, heads_kv, head_dim] -> [rows, heads_q, head_dim].
at::Tensor full_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const LayoutPtr& layout, double scale, const AttentionUse& use = {});
/// `mode` is the one that the layout was made for.
at::Tensor sparse_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const LayoutPtr& layout, const HeadMode& mode, std::int64_t layer,
                            double scale, const AttentionUse& use = {});

}  // namespace elastic::engine
