#include "engine/attention/ranking.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace elastic::engine {
namespace {

constexpr std::int64_t kParallelScores = std::int64_t{1} << 14;  // worth waking a thread for

// The order of at::sort, which takes NaN for the largest. An object, so that it is inlined.
constexpr auto kIsBefore = [](auto a, auto b) {
  return a > b || (std::isnan(a) && !std::isnan(b));
};

// Rows of [..., n] on the CPU, each with room for n numbers: f(row, room, bool[n] to be filled).
template <typename T, typename F>
at::Tensor table_of_rows(const at::Tensor& x, const F& f) {
  const at::Tensor rows = x.contiguous();
  at::Tensor keep = at::empty_like(rows, rows.options().dtype(at::kBool));
  const std::int64_t n = rows.size(-1);
  const T* from = rows.const_data_ptr<T>();
  bool* to = keep.mutable_data_ptr<bool>();
  at::parallel_for(0, rows.numel() / n, std::max<std::int64_t>(1, kParallelScores / n),
                   [&](std::int64_t first, std::int64_t last) {
                     std::vector<T> room(static_cast<std::size_t>(n));
                     for (std::int64_t row = first * n; row < last * n; row += n) {
                       std::copy(from + row, from + row + n, room.begin());
                       f(from + row, std::span<T>(room), to + row);
                     }
                   });
  return keep;
}

// best_of_rows() of fp32 scores [..., n] on the CPU, 0 < count < n: nothing is sorted.
at::Tensor best_on_cpu(const at::Tensor& scores, std::int64_t count) {
  return table_of_rows<float>(scores, [count](const float* row, std::span<float> room, bool* keep) {
    const auto last = room.begin() + count - 1;
    std::nth_element(room.begin(), last, room.end(), kIsBefore);
    const float least = *last;
    std::int64_t ties =
        count - std::count_if(room.begin(), last, [least](float x) { return kIsBefore(x, least); });
    for (std::size_t i = 0; i < room.size(); ++i) {
      keep[i] = kIsBefore(row[i], least) || (!kIsBefore(least, row[i]) && ties-- > 0);
    }
  });
}

// Of weights, which are overwritten, the one that takes the sum of the largest beyond `mass`; the
// least where none does. Only as many as it takes are sorted.
double last_of_mass(std::span<double> weights, double mass) {
  double sum = 0;
  for (std::size_t first = 0, part = 64; first < weights.size(); part *= 2) {
    const std::span<double> rest = weights.subspan(first);
    const std::size_t count = std::min(part, rest.size());
    const auto end = rest.begin() + static_cast<std::ptrdiff_t>(count);
    std::nth_element(rest.begin(), end - 1, rest.end(), std::greater<>());
    std::sort(rest.begin(), end, std::greater<>());
    for (const double weight : rest.first(count)) {
      sum += weight;
      if (!(sum <= mass)) return weight;
    }
    first += count;
  }
  return weights.back();
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

at::Tensor heaviest_of_rows(const at::Tensor& weights, double mass) {
  if (weights.is_cpu()) {
    return table_of_rows<double>(weights,
                                 [mass](const double* row, std::span<double> room, bool* keep) {
                                   const double least = last_of_mass(room, mass);
                                   for (std::size_t i = 0; i < room.size(); ++i)
                                     keep[i] = row[i] >= least;
                                 });
  }
  const at::Tensor ranked = std::get<0>(at::sort(weights, 1, true));
  const at::Tensor last = (ranked.cumsum(1) <= mass).sum(1, true).clamp_max(weights.size(1) - 1);
  return weights >= ranked.gather(1, last);
}

at::Tensor key_scores(const AttentionInput& input, std::int64_t kv_head) {
  const std::int64_t group = input.q.size(0) / input.k.size(0);
  const at::Tensor q = input.q.narrow(0, kv_head * group, group).to(at::kFloat).mul(input.scale);
  return at::matmul(q, input.k[kv_head].to(at::kFloat).t());
}

}  // namespace elastic::engine
