// Which interval an estimate gets, at the edge of each rule, and the resampling written out.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "runs/statistics.h"

namespace elastic::runs {
namespace {

const std::string kWilson = "mean of samples, Wilson interval";
const std::string kBootstrap = "mean of samples, bootstrap interval";

// `n` scores of `high`, of which the first `others` are `low`, in documents of `size` samples each.
std::vector<Observation> scores(std::size_t n, double high, std::size_t others, double low,
                                std::size_t size = 1) {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    names.reserve(200);
    for (int i = 0; i < 200; ++i) names.push_back("document " + std::to_string(i));
    return names;
  }();
  std::vector<Observation> out;
  out.reserve(n);
  for (std::size_t i = 0; i < n; ++i) out.push_back({i < others ? low : high, kNames[i / size]});
  return out;
}

TEST(Estimates, TheRuleFollowsScoresAndDocuments) {
  const struct {
    const char* name;
    std::vector<Observation> observations;
    std::string rule;
  } cases[] = {
      {"0/1, alone", scores(30, 1, 12, 0), kWilson},
      {"all right, alone", scores(30, 1, 0, 0), kWilson},
      {"one score is partial", scores(30, 1, 1, 0.5), kBootstrap},
      {"none is 0", scores(30, 1, 1, 2.0 / 3), kBootstrap},
      {"none is 1", scores(30, 0, 1, 1.0 / 3), kBootstrap},
      {"documents of two, 0/1", scores(30, 1, 11, 0, 2), kBootstrap + " over 15 documents"},
      {"documents of two, one right", scores(30, 0, 1, 1, 2), kBootstrap + " over 15 documents"},
      {"documents of two, two right", scores(30, 0, 2, 1, 2), kBootstrap + " over 15 documents"},
      {"documents of two, all right", scores(30, 1, 0, 0, 2), kWilson + " over 15 documents"},
      {"documents of two, all wrong", scores(30, 0, 0, 0, 2), kWilson + " over 15 documents"},
      {"all half right", scores(30, 0.5, 0, 0), kBootstrap},
      {"ten documents", scores(20, 1, 4, 0, 2), kBootstrap + " over 10 documents"},
      {"nine documents", scores(18, 1, 4, 0, 2), kWilson + " over 9 documents"},
      {"partial, ten", scores(10, 1, 3, 0.5), kBootstrap},
      {"partial, nine", scores(9, 1, 3, 0.5), kWilson},
      {"one", scores(1, 1, 0, 0), kWilson},
  };
  for (const auto& c : cases) {
    const auto estimate = estimate_mean(c.observations);
    ASSERT_TRUE(estimate && estimate->interval) << c.name;
    EXPECT_EQ(estimate->rule, c.rule) << c.name;
    EXPECT_EQ(estimate->n, static_cast<std::int64_t>(c.observations.size())) << c.name;
    double sum = 0;
    std::map<std::string_view, int> documents;
    for (const Observation& o : c.observations) sum += o.value, ++documents[o.cluster];
    const auto n = static_cast<double>(c.observations.size());
    EXPECT_DOUBLE_EQ(estimate->value, sum / n) << c.name;
    const auto m = static_cast<double>(documents.size());
    const Interval expected = c.rule.starts_with(kWilson) ? wilson_interval(sum / n * m, m)
                                                          : *bootstrap_interval(c.observations);
    EXPECT_DOUBLE_EQ(estimate->interval->low, expected.low) << c.name;
    EXPECT_DOUBLE_EQ(estimate->interval->high, expected.high) << c.name;
  }
}

// 2000 means of documents drawn whole: the upper 32 bits of a number, times how many there are.
TEST(Estimates, BootstrapDrawsDocumentsWhole) {
  std::mt19937_64 values(9);
  for (const std::size_t documents : {2UL, 3UL, 7UL, 40UL}) {
    std::vector<std::string> names;
    names.reserve(documents);
    for (std::size_t d = 0; d < documents; ++d) names.push_back("d" + std::to_string(d));
    std::vector<Observation> observations;
    std::vector<std::pair<double, double>> sums(documents);  // and counts
    for (std::size_t i = 0; i < 3 * documents; ++i) {
      const std::size_t d = i < documents ? i : values() % documents;
      observations.push_back({static_cast<double>(values() % 100) / 100, names[d]});
      sums[d].first += observations.back().value;
      sums[d].second += 1;
    }
    std::mt19937_64 random(20260117);
    std::vector<double> means;
    for (int i = 0; i < 2000; ++i) {
      double sum = 0, count = 0;
      for (std::size_t k = 0; k < documents; ++k) {
        const auto& drawn = sums[(random() / (std::uint64_t{1} << 32)) * documents >> 32];
        sum += drawn.first;
        count += drawn.second;
      }
      means.push_back(sum / count);
    }
    std::sort(means.begin(), means.end());
    const auto at = [&](double position) {  // between the two order statistics around it
      const double low = means[static_cast<std::size_t>(std::floor(position))];
      const double high = means[static_cast<std::size_t>(std::ceil(position))];
      return low + (position - std::floor(position)) * (high - low);
    };
    const auto interval = bootstrap_interval(observations);
    ASSERT_TRUE(interval) << documents;
    EXPECT_NEAR(interval->low, at(0.025 * 1999), 1e-12) << documents;
    EXPECT_NEAR(interval->high, at(0.975 * 1999), 1e-12) << documents;
  }
  EXPECT_FALSE(bootstrap_interval(scores(1, 1, 0, 0)));
  EXPECT_FALSE(bootstrap_interval(scores(5, 1, 2, 0, 5))) << "one document";
  EXPECT_TRUE(bootstrap_interval(std::vector<Observation>{{1, ""}, {0, ""}})) << "two of none";
}

// Wilson's bounds are the shares p with |k / n - p| = z sqrt(p (1 - p) / n).
TEST(Estimates, WilsonBoundsSolveTheirEquation) {
  constexpr double kZ = 1.959963984540054;
  for (int n = 1; n <= 60; ++n) {
    for (int half = 0; half <= 2 * n; ++half) {
      const double share = half / 2.0 / n;
      const Interval interval = wilson_interval(half / 2.0, n);
      for (const double p : {interval.low, interval.high}) {
        EXPECT_NEAR(std::abs(share - p), kZ * std::sqrt(p * (1 - p) / n), 1e-7) << half << "/" << n;
      }
      EXPECT_LE(interval.low, share);
      EXPECT_GE(interval.high, share);
      EXPECT_GE(interval.low, 0);
      EXPECT_LE(interval.high, 1);
      if (half == 0) {
        EXPECT_EQ(interval.low, 0);
      }
      if (half == 2 * n) {
        EXPECT_EQ(interval.high, 1);
      }
    }
  }
  EXPECT_THROW(wilson_interval(0, 0), std::exception);
}

// Ranks around the median by summing binomials, up to where the tail leaves 2.5 %.
TEST(Estimates, MedianIntervalTakesTheInnermostRanks) {
  for (int n = 0; n <= 70; ++n) {
    std::vector<double> values;
    values.reserve(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) values.push_back((i * 37) % n);  // 0 ... n-1 where 37 and n allow
    std::vector<double> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    int outside = 0;  // order statistics that may lie on one side
    double tail = 0, ways = 1;
    for (int k = 0; k < n; ++k) {
      tail += ways / std::exp2(n);
      ways = ways * (n - k) / (k + 1);
      EXPECT_NEAR(fair_coin_tail(k, n), tail, 1e-10) << k << " of " << n;
      if (tail <= 0.025) outside = k + 1;
    }
    const auto interval = median_interval(values);
    ASSERT_EQ(interval.has_value(), outside > 0) << n;
    if (!interval) continue;
    EXPECT_EQ(interval->low, sorted[static_cast<std::size_t>(outside - 1)]) << n;
    EXPECT_EQ(interval->high, sorted[static_cast<std::size_t>(n - outside)]) << n;
  }
  EXPECT_EQ(fair_coin_tail(3, 3), 1);
}

TEST(Estimates, QuantilesLieBetweenOrderStatistics) {
  const std::vector<double> values{40, 10, 30, 20, 50};  // at 0, 1/4, 1/2, 3/4, 1 when sorted
  for (const auto& [q, expected] : std::vector<std::pair<double, double>>{
           {0, 10}, {0.1, 14}, {0.25, 20}, {0.3, 22}, {0.5, 30}, {0.9, 46}, {1, 50}}) {
    EXPECT_NEAR(*quantile(values, q), expected, 1e-12) << q;
  }
  EXPECT_EQ(quantile({7}, 0.95), 7);
  EXPECT_EQ(mean(std::vector<double>{1, 2, 6}), 3);
  EXPECT_FALSE(mean({}));
}

TEST(Estimates, OnePartIsItsOwnMean) {
  const std::vector<Estimate> one{{0.5, Interval{0.3, 0.8}, 10, "its rule"}};
  const auto same = mean_of_estimates(one, "tasks");
  ASSERT_TRUE(same && same->interval);
  EXPECT_EQ(same->rule, "its rule");
  EXPECT_EQ(same->n, 10);
  EXPECT_EQ(same->interval->low, 0.3);
  // Three parts, each distance from a part to its bound a third of itself.
  const std::vector<Estimate> three{{0.1, Interval{0.1, 0.4}, 1, ""},
                                    {0.5, Interval{0.2, 0.5}, 2, ""},
                                    {0.9, Interval{0.5, 1.0}, 3, ""}};
  const auto mean_value = mean_of_estimates(three, "lengths");
  ASSERT_TRUE(mean_value && mean_value->interval);
  EXPECT_NEAR(mean_value->interval->low, 0.5 - std::hypot(0.3, 0.4) / 3, 1e-12);
  EXPECT_NEAR(mean_value->interval->high, 0.5 + std::hypot(0.3, 0.1) / 3, 1e-12);
  EXPECT_EQ(mean_value->n, 6);
  EXPECT_EQ(mean_value->rule, "unweighted mean of 3 lengths");
  for (std::size_t unknown = 0; unknown < 3; ++unknown) {
    std::vector<Estimate> parts = three;
    parts[unknown].interval.reset();
    EXPECT_FALSE(mean_of_estimates(parts, "tasks")->interval) << unknown;
  }
}

}  // namespace
}  // namespace elastic::runs
