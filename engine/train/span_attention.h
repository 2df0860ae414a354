#pragma once

// Differentiable causal attention over a packed stream of documents, memory linear in its length.
// Full: every row sees its own document. Streaming: the 128-block rule of streaming_mask(); the
// visible key blocks of a query block are gathered side by side, so that plain causal attention of
// each block over its own keys is exactly the mask. Both run as segments of one variable-length
// kernel: LibTorch's flash attention on the GPU (fp16/bf16), a blockwise composition elsewhere.
//
//   const LayoutPtr layout = make_layout(offsets, window);         // host
//   const at::Tensor out = full_attention(q, k, v, layout, scale);
//   const at::Tensor local = streaming_attention(q, k, v, layout, scale);

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/kernels/block_mask.h"

namespace elastic::engine {

/// Segment s: query rows [q[s], q[s+1]) see keys [k[s], k[s+1]), causal with the last key under the
/// last row.
struct Spans {
  std::vector<std::int64_t> q, k;   // cumulative, from 0
  at::Tensor q_offsets, k_offsets;  // the same, int32
  std::int64_t max_q = 0, max_k = 0;
};

/// Query rows [first_row, first_row + rows), whole blocks, against gathered key blocks.
struct StreamingChunk {
  std::int64_t first_row = 0, rows = 0;
  at::Tensor key_blocks;  // int64: blocks of the stream, in the order of spans.k
  Spans spans;
};

struct AttentionLayout {
  Spans documents;
  std::vector<StreamingChunk> streaming;  // empty without a window
};
using LayoutPtr = std::shared_ptr<const AttentionLayout>;

/// `offsets`: cumulative rows of the documents; with a window they are multiples of kMaskBlock.
LayoutPtr make_layout(const std::vector<std::int64_t>& offsets,
                      const std::optional<StreamingWindow>& window);

/// The layout with its tensors on `device`.
LayoutPtr move_layout(const LayoutPtr& layout, at::Device device);

/// q [rows, heads_q, head_dim], k and v [rows, heads_kv, head_dim] -> [rows, heads_q, head_dim].
at::Tensor full_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const LayoutPtr& layout, double scale);
at::Tensor streaming_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const LayoutPtr& layout, double scale);

}  // namespace elastic::engine
