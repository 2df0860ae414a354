#include "engine/attention/ranking.h"

#include <ATen/Parallel.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace elastic::engine {
namespace {

constexpr std::int64_t kParallelScores = std::int64_t{1} << 14;  // worth waking a thread for

// The order of at::sort, which takes NaN for the largest.
bool is_before(float a, float b) { return a > b || (std::isnan(a) && !std::isnan(b)); }

// Marks the `count` < n best of a row. `work` holds n numbers.
void mark_best(const float* scores, std::int64_t n, std::int64_t count, float* work, bool* keep) {
  std::copy(scores, scores + n, work);
  std::nth_element(work, work + count - 1, work + n, is_before);
  const float last = work[count - 1];
  std::int64_t ties =
      count - std::count_if(work, work + count - 1, [last](float x) { return is_before(x, last); });
  for (std::int64_t i = 0; i < n; ++i) {
    keep[i] = is_before(scores[i], last) || (!is_before(last, scores[i]) && ties-- > 0);
  }
}

// best_of_rows() of fp32 scores [..., n] on the CPU, 0 < count < n: nothing is sorted.
at::Tensor best_on_cpu(const at::Tensor& scores, std::int64_t count) {
  const at::Tensor rows = scores.contiguous();
  at::Tensor keep = at::zeros_like(rows, rows.options().dtype(at::kBool));
  const std::int64_t n = rows.size(-1);
  const float* from = rows.const_data_ptr<float>();
  bool* to = keep.mutable_data_ptr<bool>();
  at::parallel_for(0, rows.numel() / n, std::max<std::int64_t>(1, kParallelScores / n),
                   [&](std::int64_t first, std::int64_t last) {
                     std::vector<float> work(static_cast<std::size_t>(n));
                     for (std::int64_t row = first; row < last; ++row) {
                       mark_best(from + row * n, n, count, work.data(), to + row * n);
                     }
                   });
  return keep;
}

}  // namespace

at::Tensor best_indices(const at::Tensor& scores, std::int64_t count) {
  return std::get<1>(at::sort(scores, true, -1, true))
      .narrow(-1, 0, std::min(count, scores.size(-1)));
}

at::Tensor best_of_rows(const at::Tensor& scores, std::int64_t count) {
  const bool some = count > 0 && count < scores.size(-1);
  if (some && scores.is_cpu() && scores.scalar_type() == at::kFloat) {
    return best_on_cpu(scores, count);
  }
  const at::Tensor none = at::zeros_like(scores, scores.options().dtype(at::kBool));
  return none.scatter(-1, best_indices(scores, count), true);
}

at::Tensor key_scores(const AttentionInput& input, std::int64_t kv_head) {
  const std::int64_t group = input.q.size(0) / input.k.size(0);
  const at::Tensor q = input.q.narrow(0, kv_head * group, group).to(at::kFloat).mul(input.scale);
  return at::matmul(q, input.k[kv_head].to(at::kFloat).t());
}

}  // namespace elastic::engine
