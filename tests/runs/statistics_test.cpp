#include "runs/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace elastic::runs {
namespace {

std::vector<Observation> observations(const std::vector<double>& values) {
  std::vector<Observation> out;
  out.reserve(values.size());
  for (const double value : values) out.push_back({value, {}});
  return out;
}

// Wilson (1927) by hand, z = 1.959964, z^2 = 3.841459: 8 of 10 gives centre
// (0.8 + 0.192073) / 1.384146 = 0.716740 and half width 1.959964 * sqrt(0.016 + 0.00960365) /
// 1.384146 = 0.226577.
TEST(Statistics, WilsonIntervalByHand) {
  const Interval interval = wilson_interval(8, 10);
  EXPECT_NEAR(interval.low, 0.490163, 2e-6);
  EXPECT_NEAR(interval.high, 0.943317, 2e-6);
}

// All successes: the upper bound is 1 exactly, the lower n / (n + z^2).
TEST(Statistics, WilsonIntervalAtTheEnds) {
  EXPECT_EQ(wilson_interval(5, 5).high, 1.0);
  EXPECT_NEAR(wilson_interval(5, 5).low, 5 / (5 + 3.841459), 1e-6);
  EXPECT_EQ(wilson_interval(0, 5).low, 0.0);
  EXPECT_NEAR(wilson_interval(0, 5).high, 3.841459 / (5 + 3.841459), 1e-6);
}

TEST(Statistics, EstimateChoosesTheIntervalByTheScores) {
  const auto binary = estimate_mean(observations({1, 1, 0, 1}));
  ASSERT_TRUE(binary && binary->interval);
  EXPECT_DOUBLE_EQ(binary->value, 0.75);
  EXPECT_NEAR(binary->interval->low, wilson_interval(3, 4).low, 1e-12);
  EXPECT_EQ(binary->rule, "mean of samples, Wilson interval");

  // Too few for a bootstrap: Wilson of 2.5 in 4.
  const auto few = estimate_mean(observations({0.25, 0.5, 1, 0.75}));
  ASSERT_TRUE(few && few->interval);
  EXPECT_NEAR(few->interval->low, wilson_interval(2.5, 4).low, 1e-12);

  std::vector<double> values{0.25, 0.5, 1, 0.75};
  for (int i = 0; i < 8; ++i) values.push_back(values[static_cast<std::size_t>(i)]);
  const auto partial = estimate_mean(observations(values));
  ASSERT_TRUE(partial && partial->interval);
  EXPECT_EQ(partial->rule, "mean of samples, bootstrap interval");
  EXPECT_DOUBLE_EQ(partial->value, 0.625);
  EXPECT_GT(partial->interval->low, wilson_interval(7.5, 12).low);
  EXPECT_LT(partial->interval->high, wilson_interval(7.5, 12).high);

  EXPECT_FALSE(estimate_mean({}));
}

// The percentile bootstrap of a large sample agrees with mean +- 1.96 sd / sqrt(n).
TEST(Statistics, BootstrapAgreesWithTheNormalInterval) {
  std::mt19937_64 random(7);
  std::vector<double> values;
  double sum = 0, squares = 0;
  for (int i = 0; i < 400; ++i) {
    values.push_back(static_cast<double>(random() % 1000) / 1000);
    sum += values.back();
    squares += values.back() * values.back();
  }
  const double mean_value = sum / 400;
  const double half = 1.96 * std::sqrt((squares / 400 - mean_value * mean_value) / 400);
  const auto interval = bootstrap_interval(observations(values));
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, mean_value - half, 0.15 * half);
  EXPECT_NEAR(interval->high, mean_value + half, 0.15 * half);
}

// Ten copies of each of twelve documents hold the information of twelve, not of 120.
TEST(Statistics, ClustersWidenTheInterval) {
  const std::vector<std::string> names{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
  std::vector<Observation> alone, together;
  for (std::size_t i = 0; i < 120; ++i) {
    const double value = i % 12 < 6 ? 1 : 0;
    alone.push_back({value, {}});
    together.push_back({value, names[i % 12]});
  }
  const auto narrow = estimate_mean(alone), wide = estimate_mean(together);
  ASSERT_TRUE(narrow && wide && wide->interval);
  EXPECT_GT(wide->interval->high - wide->interval->low,
            2.5 * (narrow->interval->high - narrow->interval->low));
  EXPECT_NE(wide->rule.find("over 12 documents"), std::string::npos);
}

TEST(Statistics, ClusteredCellWhoseScoresAgreeUsesTheDocuments) {
  const std::vector<Observation> same{{1, "a"}, {1, "a"}, {1, "b"}, {1, "b"}};
  const auto estimate = estimate_mean(same);
  ASSERT_TRUE(estimate && estimate->interval);
  EXPECT_NEAR(estimate->interval->low, wilson_interval(2, 2).low, 1e-12);
  EXPECT_EQ(estimate->n, 4);
}

// Two parts 0.5 [0.3, 0.8] and 0.9 [0.7, 1.0]: mean 0.7, below sqrt(0.1^2 + 0.1^2) = 0.141421,
// above sqrt(0.15^2 + 0.05^2) = 0.158114.
TEST(Statistics, CombinedIntervalByHand) {
  const std::vector<Estimate> parts{{0.5, Interval{0.3, 0.8}, 10, ""},
                                    {0.9, Interval{0.7, 1.0}, 20, ""}};
  const auto mean_value = mean_of_estimates(parts, "tasks");
  ASSERT_TRUE(mean_value && mean_value->interval);
  EXPECT_NEAR(mean_value->value, 0.7, 1e-12);
  EXPECT_NEAR(mean_value->interval->low, 0.7 - 0.141421, 1e-6);
  EXPECT_NEAR(mean_value->interval->high, 0.7 + 0.158114, 1e-6);
  EXPECT_EQ(mean_value->n, 30);
  EXPECT_EQ(mean_value->rule, "unweighted mean of 2 tasks");
  EXPECT_FALSE(mean_of_estimates({}, "tasks"));
}

TEST(Statistics, CombinedIntervalIsUnknownWhereAPartsIs) {
  const std::vector<Estimate> parts{{0.5, Interval{0.3, 0.8}, 10, ""}, {0.9, {}, 1, ""}};
  EXPECT_FALSE(mean_of_estimates(parts, "tasks")->interval);
}

TEST(Statistics, BootstrapIsTheSameEveryTime) {
  std::vector<double> values;
  values.reserve(30);
  for (int i = 0; i < 30; ++i) values.push_back(0.01 * ((7 * i) % 31));
  const auto first = bootstrap_interval(observations(values));
  const auto second = bootstrap_interval(observations(values));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->low, second->low);
  EXPECT_EQ(first->high, second->high);
}

// From ten independent observations on they are resampled.
TEST(Statistics, BootstrapBeginsAtTenClusters) {
  std::vector<double> values{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
  EXPECT_EQ(estimate_mean(observations(values))->rule, "mean of samples, Wilson interval");
  values.push_back(0.95);
  EXPECT_EQ(estimate_mean(observations(values))->rule, "mean of samples, bootstrap interval");
}

// Binomial(5, 1/2): 1, 5, 10, ... of 32.
TEST(Statistics, FairCoinTailByHand) {
  EXPECT_NEAR(fair_coin_tail(0, 5), 1.0 / 32, 1e-12);
  EXPECT_NEAR(fair_coin_tail(2, 5), 16.0 / 32, 1e-12);
  EXPECT_NEAR(fair_coin_tail(5, 5), 1, 1e-12);
}

// Ranks of the textbook table: 1 and 6 of 6, 2 and 9 of 10, 4 and 12 of 15;
// five values reach only 93.75 %.
TEST(Statistics, MedianIntervalByHand) {
  const auto ranks = [](int n) {
    std::vector<double> values;
    for (int i = n; i >= 1; --i) values.push_back(i);
    return median_interval(values);
  };
  EXPECT_FALSE(ranks(0));
  EXPECT_FALSE(ranks(5));
  for (const auto& [n, low, high] :
       std::vector<std::tuple<int, int, int>>{{6, 1, 6}, {9, 2, 8}, {10, 2, 9}, {15, 4, 12}}) {
    const auto interval = ranks(n);
    ASSERT_TRUE(interval) << n;
    EXPECT_EQ(interval->low, low) << n;
    EXPECT_EQ(interval->high, high) << n;
  }
}

TEST(Statistics, QuantilesInterpolate) {
  EXPECT_EQ(quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_EQ(quantile({4, 1, 3, 2}, 0), 1);
  EXPECT_EQ(quantile({4, 1, 3, 2}, 1), 4);
  EXPECT_NEAR(*quantile({1, 2, 3, 4, 5}, 0.95), 4.8, 1e-12);
  EXPECT_FALSE(quantile({}, 0.5));
}

TEST(Statistics, RankCorrelationByHand) {
  const std::vector<double> x = {1, 2, 3, 4, 5}, order = {10, 20, 15, 50, 40}, flat(5, 3.0);
  EXPECT_NEAR(*spearman(x, order), 1 - 6.0 * 4 / (5 * 24), 1e-12);  // squared differences: 4
  EXPECT_NEAR(*spearman(x, std::vector<double>{9, 8, 7, 3, -1}), -1, 1e-12);
  // Ranks 1.5 1.5 3 4.5 4.5 against 1 to 5: 9 / sqrt(9 * 10).
  EXPECT_NEAR(*spearman(std::vector<double>{0, 0, 1, 2, 2}, x), 9 / std::sqrt(90), 1e-12);
  EXPECT_FALSE(spearman(x, flat));
}

}  // namespace
}  // namespace elastic::runs
