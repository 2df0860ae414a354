#pragma once

// Attention over the documents of a stream that does no more than it must: long documents one by
// one through the device's attention kernel, which tells full and streaming heads apart by what
// they see, and gradients of the KV heads that get one. Where a gate is exactly 0 or 1, half of all
// gradients are zeros that nobody need compute.

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "engine/train/span_attention.h"
#include "engine/train/span_kernel.h"

namespace elastic::engine {

/// Some KV heads of a call and the query heads that read them.
class HeadSubset {
 public:
  /// Of tensors as q [rows, heads_q, d] and k [rows, heads_kv, d]; no `heads`: all of them.
  HeadSubset(const std::optional<std::vector<int>>& heads, const at::Tensor& q,
             const at::Tensor& k);

  bool is_all() const { return !kv_.defined(); }
  bool is_empty() const { return kv_.defined() && kv_.numel() == 0; }
  at::Tensor queries(const at::Tensor& x, std::int64_t dim) const;
  at::Tensor keys(const at::Tensor& x, std::int64_t dim) const;
  SpanResult result(const SpanResult& of_all, const at::Tensor& q, const Spans& spans) const;

  /// Gradients of these heads as those of all; zeros elsewhere.
  SpanGradients among_all(const SpanGradients& own, const at::Tensor& q, const at::Tensor& k) const;

 private:
  at::Tensor q_, kv_;  // int64; undefined: all
};

/// Heads that at least one document names.
std::optional<std::vector<int>> heads_of_any(const std::optional<HeadsOfDocuments>& heads);

/// Whether the layout's documents run one by one on the device of q.
bool run_apart(const at::Tensor& q, const AttentionLayout& layout);

/// Documents that run apart, under full attention or the mask of `sparse`, a mode of positions
/// alone. lse: fp32 [heads_q, rows].
SpanResult attend_apart(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        const AttentionLayout& layout, const HeadMode* sparse, double scale);

/// Gradients of full attention.
SpanGradients full_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const SpanResult& result,
                            const AttentionLayout& layout, double scale,
                            const std::optional<HeadsOfDocuments>& heads);

}  // namespace elastic::engine
