#include "engine/attention/ranking.h"

#include <ATen/ops/matmul.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

namespace elastic::engine {

at::Tensor best_indices(const at::Tensor& scores, std::int64_t count) {
  return std::get<1>(at::sort(scores, true, -1, true))
      .narrow(-1, 0, std::min(count, scores.size(-1)));
}

at::Tensor best_of_rows(const at::Tensor& scores, std::int64_t count) {
  const at::Tensor none = at::zeros_like(scores, scores.options().dtype(at::kBool));
  return none.scatter(-1, best_indices(scores, count), true);
}

at::Tensor key_scores(const AttentionInput& input, std::int64_t kv_head) {
  const std::int64_t group = input.q.size(0) / input.k.size(0);
  const at::Tensor q = input.q.narrow(0, kv_head * group, group).to(at::kFloat).mul(input.scale);
  return at::matmul(q, input.k[kv_head].to(at::kFloat).t());
}

}  // namespace elastic::engine
