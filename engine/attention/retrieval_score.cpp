#include "engine/attention/retrieval_score.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include <vector>

namespace elastic::engine {

at::Tensor retrieval_scores(const AttentionInput& input, const at::Tensor& needle) {
  const std::int64_t heads_kv = input.k.size(0), group = input.q.size(0) / heads_kv;
  const std::int64_t row = input.q.size(1) - 1, keys = input.q_start + row + 1;
  std::vector<at::Tensor> scores;
  for (std::int64_t kv = 0; kv < heads_kv; ++kv) {  // one head's keys in fp32 at a time
    const at::Tensor q = input.q.narrow(0, kv * group, group).select(1, row).to(at::kFloat);
    const at::Tensor k = input.k[kv].narrow(0, 0, keys).to(at::kFloat);
    const at::Tensor weights = at::softmax(at::matmul(q, k.t()).mul(input.scale), -1);
    scores.push_back(weights.index_select(1, needle).sum(1));
  }
  return at::cat(scores);
}

}  // namespace elastic::engine
