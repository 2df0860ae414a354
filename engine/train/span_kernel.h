#pragma once

// Forward and backward of variable-length causal attention, without autograd:
// the two kernels behind span_attention.h.

#include <ATen/core/Tensor.h>

#include "engine/train/span_attention.h"

namespace elastic::engine {

struct SpanResult {
  at::Tensor out;            // [rows, heads_q, head_dim], dtype of q
  at::Tensor lse;            // in the kernel's own layout
  at::Tensor state, unused;  // what LibTorch's kernels want to see again backward
};

/// Which dimension of a result's lse are its heads, query heads or KV heads.
struct LsePlace {
  std::int64_t dim = 0;
  bool by_kv_head = false;
};
LsePlace lse_place(const at::Tensor& lse, const at::Tensor& q, const Spans& spans);

struct SpanGradients {
  at::Tensor q, k, v;
};

/// Whether every document sees itself and all are of one length, whole kilotokens, as long
/// trainings have them: cuDNN is about twice as fast there,
/// but plans each shape for a tenth of a second.
bool are_kilotokens(const Spans& spans);

SpanResult attend_spans(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        const Spans& spans, double scale);

/// Also takes an lse [heads_q, rows] of one document, without the rest, of any other kernel.
SpanGradients attend_spans_backward(const at::Tensor& grad, const at::Tensor& q,
                                    const at::Tensor& k, const at::Tensor& v,
                                    const SpanResult& result, const Spans& spans, double scale);

}  // namespace elastic::engine
