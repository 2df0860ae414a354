#include "engine/train/document_attention.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <set>

#include "engine/attention/attention_backend.h"

namespace elastic::engine {
namespace {

at::Tensor index_on(const std::vector<std::int64_t>& heads, at::Device device) {
  return on_device(at::tensor(heads, at::TensorOptions(at::kLong)), device);
}

at::Tensor widened(const at::Tensor& some, const at::Tensor& index, const at::Tensor& like) {
  at::Tensor all = at::zeros(like.sizes(), some.options());
  return all.index_copy_(1, index, some);
}

}  // namespace

HeadSubset::HeadSubset(const std::optional<std::vector<int>>& heads, const at::Tensor& q,
                       const at::Tensor& k) {
  if (!heads || std::ssize(*heads) == k.size(1)) return;
  const std::int64_t group = q.size(1) / k.size(1);
  std::vector<std::int64_t> queries, keys(heads->begin(), heads->end());
  for (const std::int64_t head : keys) {
    for (std::int64_t g = 0; g < group; ++g) queries.push_back(head * group + g);
  }
  q_ = index_on(queries, q.device());
  kv_ = index_on(keys, q.device());
}

at::Tensor HeadSubset::queries(const at::Tensor& x, std::int64_t dim) const {
  return is_all() ? x : x.index_select(dim, q_);
}

at::Tensor HeadSubset::keys(const at::Tensor& x, std::int64_t dim) const {
  return is_all() ? x : x.index_select(dim, kv_);
}

SpanResult HeadSubset::result(const SpanResult& of_all, const at::Tensor& q,
                              const Spans& spans) const {
  if (is_all()) return of_all;
  const LsePlace place = lse_place(of_all.lse, q, spans);
  return {queries(of_all.out, 1), of_all.lse.index_select(place.dim, place.by_kv_head ? kv_ : q_),
          of_all.state, of_all.unused};
}

SpanGradients HeadSubset::among_all(const SpanGradients& own, const at::Tensor& q,
                                    const at::Tensor& k) const {
  if (is_all()) return own;
  return {widened(own.q, q_, q), widened(own.k, kv_, k), widened(own.v, kv_, k)};
}

std::optional<std::vector<int>> heads_of_any(const std::optional<HeadsOfDocuments>& heads) {
  if (!heads) return std::nullopt;
  std::set<int> any;
  for (const std::vector<int>& own : *heads) any.insert(own.begin(), own.end());
  return std::vector<int>(any.begin(), any.end());
}

bool run_apart(const at::Tensor& q, const AttentionLayout& layout) {
  return !layout.apart.empty() && q.is_cuda() && device_kernels_take(q.scalar_type(), q.size(2));
}

SpanResult attend_apart(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        const AttentionLayout& layout, const HeadMode* sparse, double scale) {
  SpanResult all{at::empty(q.sizes(), q.options()),
                 at::empty({q.size(1), q.size(0)}, q.options().dtype(at::kFloat)),
                 {},
                 {}};
  const std::vector<int> heads = every_head(k.size(1));
  for (std::size_t d = 0; d + 1 < layout.documents.q.size(); ++d) {
    const std::int64_t start = layout.documents.q[d], rows = layout.documents.q[d + 1] - start;
    const auto own = [&](const at::Tensor& x) { return x.narrow(0, start, rows).transpose(0, 1); };
    const AttentionInput input{own(q), own(k), own(v), 0, scale};
    HeadGroup group{0, heads, {}, {}};
    group.mask = sparse != nullptr ? sparse->block_mask(input, heads) : dense_mask(input.span());
    HeadGroups groups;
    groups.groups.push_back(std::move(group));
    at::Tensor out = own(all.out), lse = at::empty({q.size(1), rows}, all.lse.options());
    attention_backend(q.device()).prefill(input, groups, out, &lse);
    all.lse.narrow(1, start, rows).copy_(lse);
  }
  return all;
}

SpanGradients full_backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const SpanResult& result,
                            const AttentionLayout& layout, double scale,
                            const std::optional<HeadsOfDocuments>& heads) {
  const auto of_some = [&](const std::optional<std::vector<int>>& some, const at::Tensor& g,
                           const at::Tensor& own_q, const at::Tensor& own_k,
                           const at::Tensor& own_v, const SpanResult& own, const Spans& spans) {
    const HeadSubset subset(some, own_q, own_k);
    if (subset.is_empty()) {
      return SpanGradients{at::zeros_like(own_q), at::zeros_like(own_k), at::zeros_like(own_v)};
    }
    return subset.among_all(attend_spans_backward(subset.queries(g, 1), subset.queries(own_q, 1),
                                                  subset.keys(own_k, 1), subset.keys(own_v, 1),
                                                  subset.result(own, own_q, spans), spans, scale),
                            own_q, own_k);
  };
  if (!run_apart(q, layout) || layout.apart.size() == 1) {
    return of_some(heads_of_any(heads), grad, q, k, v, result, layout.documents);
  }
  SpanGradients all{at::empty_like(q), at::empty_like(k), at::empty_like(v)};
  for (std::size_t d = 0; d < layout.apart.size(); ++d) {
    const std::int64_t start = layout.documents.q[d], rows = layout.documents.q[d + 1] - start;
    const auto own = [&](const at::Tensor& x) { return x.narrow(0, start, rows); };
    const SpanGradients part = of_some(
        heads ? std::optional((*heads)[d]) : std::nullopt, own(grad), own(q), own(k), own(v),
        {own(result.out), result.lse.narrow(1, start, rows).contiguous(), {}, {}}, layout.apart[d]);
    own(all.q).copy_(part.q);
    own(all.k).copy_(part.k);
    own(all.v).copy_(part.v);
  }
  return all;
}

}  // namespace elastic::engine
