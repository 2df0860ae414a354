// The best of rows on the CPU, where nothing is sorted whole, against sorted rows.

#include "engine/attention/ranking.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <vector>

namespace elastic::engine {
namespace {

// bool [rows, n] by the order of a stable sort.
at::Tensor best_by_sort(const at::Tensor& scores, std::int64_t count) {
  const at::Tensor none = at::zeros_like(scores, scores.options().dtype(at::kBool));
  return none.scatter(-1, best_indices(scores, count), true);
}

TEST(Ranking, TheBestAreThoseOfASortedRow) {
  for (const std::int64_t n : {1, 2, 17, 300}) {
    at::Tensor distinct = at::randn({5, n}), tied = at::randint(0, 4, {5, n}).to(at::kFloat);
    at::Tensor odd = at::randn({5, n});
    odd.select(1, n / 2).fill_(std::numeric_limits<float>::quiet_NaN());
    odd.select(1, n / 3).fill_(std::numeric_limits<float>::infinity());
    odd.select(1, 0).fill_(-std::numeric_limits<float>::infinity());
    const at::Tensor wide = at::randn({2, 5, n + 3}).narrow(2, 1, n);
    for (const at::Tensor& scores : {distinct, tied, odd, wide, at::zeros({2, n})}) {
      for (const std::int64_t count : {std::int64_t{0}, std::int64_t{1}, n / 2, n - 1, n, n + 1}) {
        EXPECT_TRUE(best_of_rows(scores, count).equal(best_by_sort(scores, count)))
            << count << " of " << n;
        EXPECT_TRUE(best_of_rows(scores.to(at::kDouble), count).equal(best_by_sort(scores, count)));
      }
    }
  }
}

TEST(Ranking, TheHeaviestGoBeyondTheMassWithThoseEqualToTheLast) {
  for (const std::int64_t n : {1, 63, 64, 65, 1000}) {
    const at::Tensor peaked = at::softmax(at::randn({3, n}).mul(4), 1, at::kDouble);
    const at::Tensor tied = at::softmax(at::randint(0, 3, {3, n}), 1, at::kDouble);
    for (const at::Tensor& weights : {peaked, tied, at::full({2, n}, 1.0 / 1024, at::kDouble)}) {
      for (const double mass : {0.0, 0.3, 0.95, 0.999999, 2.0}) {
        const at::Tensor keep = heaviest_of_rows(weights, mass);
        for (std::int64_t row = 0; row < weights.size(0); ++row) {
          const double* w = weights.const_data_ptr<double>() + row * n;
          std::vector<double> ranked(w, w + n);
          std::sort(ranked.begin(), ranked.end(), std::greater<>());
          double sum = 0, least = 0;
          for (std::size_t i = 0; i < ranked.size() && sum <= mass; ++i) sum += least = ranked[i];
          for (std::int64_t i = 0; i < n; ++i) {
            ASSERT_EQ(keep[row].const_data_ptr<bool>()[i], w[i] >= least)
                << mass << " of " << n << ", " << i;
          }
        }
      }
    }
  }
}

// Rows of no numbers, as a model of broken weights has them, choose something and end.
TEST(Ranking, NoNumbersEnd) {
  const at::Tensor none = at::full({2, 200}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  EXPECT_EQ(heaviest_of_rows(none, 0.5).sum().item<std::int64_t>(), 0);
  EXPECT_EQ(best_of_rows(none.to(at::kFloat), 7).sum().item<std::int64_t>(), 14);
}

}  // namespace
}  // namespace elastic::engine
