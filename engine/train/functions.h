#pragma once

// Differentiable pieces of the training decoder whose backward is written by hand: fewer passes
// over memory than the composed operations, and exact values where rounding would blur them.

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace elastic::engine {

/// x [rows, heads, d] turned by the angles of its rows; cos, sin [rows, 1, d/2] in x's dtype.
/// Half-split layout, as RotaryTable.
at::Tensor rotate_rows(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

/// silu(gate) * up of gate_up [rows, 2 n] -> [rows, n].
at::Tensor gated_silu(const at::Tensor& gate_up);

/// 1 where `soft` wins its class (logits[..., 1] > logits[..., 0]), else 0, exactly; the gradient
/// goes to `soft` unchanged (straight-through).
at::Tensor straight_through(const at::Tensor& soft, const at::Tensor& logits);

/// gate * full + (1 - gate) * sparse per document and KV head; exactly `full` at gate 1 and exactly
/// `sparse` at gate 0. full, sparse [rows, heads_q, d]; gate fp32 [documents, heads_kv];
/// document int64 [rows].
at::Tensor mix_heads(const at::Tensor& full, const at::Tensor& sparse, const at::Tensor& gate,
                     const at::Tensor& document);

/// Part of a graph: several outputs of one input.
using Segment = std::function<std::vector<at::Tensor>(const at::Tensor& x)>;

/// segment(x), keeping x alone; the segment runs again backward. Parameters that the segment
/// captures get their gradients added to .grad, so a caller must end in backward(), and `anchor`,
/// any leaf that asks for a gradient, ties in an x that asks for none.
std::vector<at::Tensor> recomputed(const Segment& segment, const at::Tensor& x,
                                   const at::Tensor& anchor);

}  // namespace elastic::engine
