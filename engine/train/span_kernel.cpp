#include "engine/train/span_kernel.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_flash_attention_backward.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention_backward.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

#include "engine/attention/attention_backend.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kRowsAtOnce = 128;  // of the composed kernel: scores are rows x keys

// Of LibTorch's GPU kernels: causal, the lse kept for the backward pass, no mask to look at.
constexpr bool kCausal = true, kKeepLse = true, kDebugMask = false;

bool flash_takes(const at::Tensor& q) {
  return q.is_cuda() && device_kernels_take(q.scalar_type(), q.size(2));
}

// [rows, heads, d] as [documents, heads, document rows, d] and back.
at::Tensor by_document(const at::Tensor& x, const Spans& spans) {
  return x.unflatten(0, {-1, spans.max_q}).transpose(1, 2);
}
at::Tensor by_row(const at::Tensor& x) { return x.transpose(1, 2).flatten(0, 1); }

// What a kernel without dropout is given for its random numbers.
at::Tensor random_state(const at::Tensor& state, const at::Tensor& q, at::IntArrayRef sizes) {
  return state.defined() ? state : at::zeros(sizes, q.options().dtype(at::kLong));
}

SpanResult cudnn(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const Spans& spans,
                 double scale) {
  const auto result = at::_scaled_dot_product_cudnn_attention(
      by_document(q, spans), by_document(k, spans), by_document(v, spans), std::nullopt, kKeepLse,
      0.0, kCausal, kDebugMask, scale);
  return {by_row(std::get<0>(result)), std::get<1>(result), std::get<6>(result),
          std::get<7>(result)};
}

SpanGradients cudnn_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, const SpanResult& result, const Spans& spans,
                             double scale) {
  const bool other = result.lse.dim() == 2;  // another kernel's, of one document
  const at::Tensor lse = other ? result.lse.view({1, q.size(1), q.size(0), 1}) : result.lse;
  const auto [dq, dk, dv] = at::_scaled_dot_product_cudnn_attention_backward(
      by_document(grad.contiguous(), spans), by_document(q, spans), by_document(k, spans),
      by_document(v, spans), by_document(result.out, spans), lse, random_state(result.state, q, {}),
      random_state(result.unused, q, {}), {}, {}, {}, spans.max_q, spans.max_q, 0.0, kCausal,
      scale);
  return {by_row(dq), by_row(dk), by_row(dv)};
}

// One query chunk of one segment and the keys it can see.
struct Chunk {
  std::int64_t row = 0, rows = 0;  // query rows of the stream
  std::int64_t key = 0, keys = 0;
};

template <typename Work>
void for_each_chunk(const Spans& spans, Work&& work) {
  for (std::size_t s = 0; s + 1 < spans.q.size(); ++s) {
    const std::int64_t rows = spans.q[s + 1] - spans.q[s], keys = spans.k[s + 1] - spans.k[s];
    for (std::int64_t start = 0; start < rows; start += kRowsAtOnce) {
      const std::int64_t count = std::min(kRowsAtOnce, rows - start);
      work(Chunk{spans.q[s] + start, count, spans.k[s], keys - rows + start + count});
    }
  }
}

// Tensors of one chunk by KV head: q [heads_kv, group * rows, d], k and v [heads_kv, keys, d].
struct ByHead {
  std::int64_t heads_kv, group, dim;
  at::ScalarType type;

  ByHead(const at::Tensor& q, const at::Tensor& k)
      : heads_kv(k.size(1)),
        group(q.size(1) / k.size(1)),
        dim(q.size(2)),
        type(q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat) {}

  at::Tensor rows(const at::Tensor& x, const Chunk& c) const {
    return x.narrow(0, c.row, c.rows)
        .to(type)
        .view({c.rows, heads_kv, group, dim})
        .permute({1, 2, 0, 3})
        .reshape({heads_kv, group * c.rows, dim});
  }
  at::Tensor keys(const at::Tensor& x, const Chunk& c) const {
    return x.narrow(0, c.key, c.keys).to(type).transpose(0, 1);
  }
  // [heads_kv, group * rows, d] back to [rows, heads_q, d].
  at::Tensor by_row(const at::Tensor& x, const Chunk& c) const {
    return x.view({heads_kv, group, c.rows, dim})
        .permute({2, 0, 1, 3})
        .reshape({c.rows, heads_kv * group, dim});
  }
  // lse [heads_kv, group, all rows]: the chunk's, as a column.
  at::Tensor column(const at::Tensor& lse, const Chunk& c) const {
    return lse.narrow(2, c.row, c.rows).reshape({heads_kv, group * c.rows, 1});
  }

  // Scaled scores, -inf above the diagonal: [heads_kv, group * rows, keys].
  at::Tensor scores(const at::Tensor& q, const at::Tensor& k, const Chunk& c, double scale) const {
    at::Tensor s = at::bmm(q, k.transpose(1, 2)).mul_(scale);
    const at::TensorOptions index = q.options().dtype(at::kLong);
    const at::Tensor last = at::arange(c.rows, index).add_(c.keys - c.rows).unsqueeze(1);
    const at::Tensor hidden = at::arange(c.keys, index).unsqueeze(0).gt(last);
    s.view({heads_kv, group, c.rows, c.keys})
        .masked_fill_(hidden, -std::numeric_limits<double>::infinity());
    return s;
  }
};

SpanResult composed(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const Spans& spans, double scale) {
  const ByHead by(q, k);
  at::Tensor out = at::empty(q.sizes(), q.options());
  at::Tensor lse = at::empty({by.heads_kv, by.group, q.size(0)}, q.options().dtype(by.type));
  for_each_chunk(spans, [&](const Chunk& c) {
    const at::Tensor s = by.scores(by.rows(q, c), by.keys(k, c), c, scale);
    const at::Tensor sum = at::logsumexp(s, {-1}, true);
    lse.narrow(2, c.row, c.rows).copy_(sum.view({by.heads_kv, by.group, c.rows}));
    const at::Tensor mean = at::bmm((s - sum).exp_(), by.keys(v, c));
    out.narrow(0, c.row, c.rows).copy_(by.by_row(mean, c));
  });
  return {out, lse, {}, {}};
}

// p = exp(s - lse), dv = p^T g, ds = p (g v^T - rowsum(g out)), dq = ds k, dk = ds^T q.
SpanGradients composed_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                                const at::Tensor& v, const SpanResult& result, const Spans& spans,
                                double scale) {
  const ByHead by(q, k);
  at::Tensor dq = at::empty(q.sizes(), q.options());
  at::Tensor dk = at::zeros(k.sizes(), k.options().dtype(by.type));
  at::Tensor dv = at::zeros(v.sizes(), v.options().dtype(by.type));
  for_each_chunk(spans, [&](const Chunk& c) {
    const at::Tensor qc = by.rows(q, c), kc = by.keys(k, c), g = by.rows(grad, c);
    const at::Tensor p = by.scores(qc, kc, c, scale).sub_(by.column(result.lse, c)).exp_();
    const at::Tensor mean = (g * by.rows(result.out, c)).sum({-1}, true);
    const at::Tensor ds = at::bmm(g, by.keys(v, c).transpose(1, 2)).sub_(mean).mul_(p).mul_(scale);
    dv.narrow(0, c.key, c.keys).add_(at::bmm(p.transpose(1, 2), g).transpose(0, 1));
    dk.narrow(0, c.key, c.keys).add_(at::bmm(ds.transpose(1, 2), qc).transpose(0, 1));
    dq.narrow(0, c.row, c.rows).copy_(by.by_row(at::bmm(ds, kc), c));
  });
  return {dq, dk.to(k.scalar_type()), dv.to(v.scalar_type())};
}

}  // namespace

bool are_kilotokens(const Spans& spans) {
  constexpr std::int64_t kPlanRows = 1024;
  const auto segments = static_cast<std::int64_t>(spans.q.size()) - 1;
  return spans.q == spans.k && spans.max_q % kPlanRows == 0 &&
         spans.q.back() == spans.max_q * segments;
}

LsePlace lse_place(const at::Tensor& lse, const at::Tensor& q, const Spans& spans) {
  if (!flash_takes(q)) return {0, true};
  return {are_kilotokens(spans) && lse.dim() > 2 ? 1 : 0, false};
}

SpanResult attend_spans(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        const Spans& spans, double scale) {
  if (!flash_takes(q)) return composed(q, k, v, spans, scale);
  if (are_kilotokens(spans)) return cudnn(q, k, v, spans, scale);
  auto [out, lse, state, unused, mask] = at::_flash_attention_forward(
      q, k, v, spans.q_offsets, spans.k_offsets, spans.max_q, spans.max_k, 0.0, kCausal, kDebugMask,
      scale, std::nullopt, std::nullopt, std::nullopt, std::nullopt);
  return {out, lse, state, unused};
}

SpanGradients attend_spans_backward(const at::Tensor& grad, const at::Tensor& q,
                                    const at::Tensor& k, const at::Tensor& v,
                                    const SpanResult& result, const Spans& spans, double scale) {
  if (!flash_takes(q)) return composed_backward(grad, q, k, v, result, spans, scale);
  if (are_kilotokens(spans)) return cudnn_backward(grad, q, k, v, result, spans, scale);
  auto [dq, dk, dv] = at::_flash_attention_backward(
      grad.contiguous(), q, k, v, result.out, result.lse, spans.q_offsets, spans.k_offsets,
      spans.max_q, spans.max_k, 0.0, kCausal, random_state(result.state, q, {2}),
      random_state(result.unused, q, {}), scale, std::nullopt, std::nullopt);
  return {dq, dk, dv};
}

}  // namespace elastic::engine
