// Comparisons against their definitions, written out plainly, over random pairs.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "runs/paired.h"

namespace elastic::runs {
namespace {

using Values = std::vector<double>;

// Eighths, so that sums of equal size are equal.
Values random_eighths(std::mt19937_64& random, std::size_t n) {
  Values values;
  values.reserve(n);
  for (std::size_t i = 0; i < n; ++i)
    values.push_back((static_cast<double>(random() % 15) - 7) / 8);
  return values;
}

double sum_of(const Values& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

// Share of the sign patterns, given as one list of signs each, that reach the sum observed.
double share_as_far(const Values& values, const std::vector<std::vector<bool>>& patterns) {
  double far = 0;
  for (const std::vector<bool>& flipped : patterns) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += flipped[i] ? -values[i] : values[i];
    if (std::abs(sum) > std::abs(sum_of(values)) - 1e-9) ++far;
  }
  return far / static_cast<double>(patterns.size());
}

std::vector<std::vector<bool>> all_patterns(std::size_t n) {
  std::vector<std::vector<bool>> patterns{{}};
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<std::vector<bool>> longer;
    longer.reserve(2 * patterns.size());
    for (const std::vector<bool>& pattern : patterns) {
      for (const bool flip : {false, true}) {
        longer.push_back(pattern);
        longer.back().push_back(flip);
      }
    }
    patterns = std::move(longer);
  }
  return patterns;
}

// The patterns drawn for more clusters than can be enumerated: 64 signs of each number drawn, its
// lowest bit first.
std::vector<std::vector<bool>> drawn_patterns(std::size_t n) {
  std::mt19937_64 random(20260118);
  std::vector<std::vector<bool>> patterns(9999);
  for (std::vector<bool>& pattern : patterns) {
    while (pattern.size() < n) {
      const std::uint64_t bits = random();
      for (int bit = 0; bit < 64; ++bit) pattern.push_back((bits >> bit) % 2 == 1);
    }
  }
  return patterns;
}

TEST(PairedDefinition, SignFlipTriesEverySign) {
  std::mt19937_64 random(3);
  for (std::size_t n = 1; n <= 10; ++n) {
    for (int repeat = 0; repeat < 5; ++repeat) {
      Values values = random_eighths(random, n);
      const double expected = share_as_far(values, all_patterns(n));
      EXPECT_DOUBLE_EQ(sign_flip_p(values), expected) << n;
      values.insert(values.begin(), 3, 0.0);
      EXPECT_DOUBLE_EQ(sign_flip_p(values), expected) << "zeros change no sum";
    }
  }
  EXPECT_DOUBLE_EQ(sign_flip_p(Values(16, 1.0)), 2.0 / 65536) << "exact up to 16";
  EXPECT_DOUBLE_EQ(sign_flip_p(Values(17, 1.0)), 1.0 / 10000) << "drawn beyond";
}

TEST(PairedDefinition, SignFlipDrawsBeyond) {
  std::mt19937_64 random(4);
  for (const std::size_t n : {17UL, 64UL, 65UL, 150UL}) {
    Values values = random_eighths(random, n);
    for (double& value : values) value += 0.125;
    std::erase(values, 0.0);
    if (values.size() <= 16) values.resize(17, 0.5);
    const double drawn = share_as_far(values, drawn_patterns(values.size()));
    EXPECT_DOUBLE_EQ(sign_flip_p(values), (1 + drawn * 9999) / 10000) << n;
  }
  Values even(20, 1.0);
  std::fill_n(even.begin(), 10, -1.0);
  EXPECT_DOUBLE_EQ(sign_flip_p(even), 1) << "every draw is as far from zero as zero";
}

TEST(PairedDefinition, McNemarIsTwiceTheTail) {
  for (int worse = 0; worse <= 12; ++worse) {
    for (int better = 0; better <= 12; ++better) {
      double tail = 0, ways = 1;  // n choose k over 2^n, k up to the smaller
      const int n = worse + better;
      for (int k = 0; k <= std::min(worse, better); ++k) {
        tail += ways / std::exp2(n);
        ways = ways * (n - k) / (k + 1);
      }
      EXPECT_NEAR(mcnemar_p(worse, better), std::min(1.0, 2 * tail), 1e-12)
          << worse << " and " << better;
    }
  }
}

// compare_pairs() as its header says it, for what needs no resampling.
void expect_result(const std::vector<Pair>& pairs) {
  std::map<std::string, double> sums;
  double a = 0, b = 0, won = 0, lost = 0;
  int worse = 0, better = 0, alone = 0;
  bool binary = true;
  const auto n = static_cast<double>(pairs.size());
  for (const Pair& pair : pairs) {
    a += pair.a;
    b += pair.b;
    const double change = pair.b - pair.a;
    (change > 0 ? won : lost) += std::abs(change);
    worse += change < 0;
    better += change > 0;
    for (const double score : {pair.a, pair.b}) binary = binary && score * (1 - score) == 0;
    sums[pair.cluster.empty() ? "alone " + std::to_string(alone++) : std::string(pair.cluster)] +=
        change;
  }
  binary = binary && sums.size() == pairs.size();
  Values values;
  values.reserve(sums.size());
  for (const auto& [cluster, sum] : sums) values.push_back(sum);
  const PairedResult r = compare_pairs(pairs);
  EXPECT_EQ(r.n, static_cast<std::int64_t>(pairs.size()));
  EXPECT_EQ(r.clusters, static_cast<std::int64_t>(sums.size()));
  EXPECT_NEAR(r.mean_a, a / n, 1e-12);
  EXPECT_NEAR(r.mean_b, b / n, 1e-12);
  EXPECT_NEAR(r.difference, (b - a) / n, 1e-12);
  EXPECT_EQ(r.test, binary ? "exact McNemar" : "sign-flip");
  EXPECT_NEAR(r.p_value, binary ? mcnemar_p(worse, better) : sign_flip_p(values), 1e-12);
  EXPECT_NEAR(r.smallest_visible,
              (1.959963984540054 + 0.8416212335729143) * (r.interval.high - r.interval.low) /
                  (2 * 1.959963984540054),
              1e-12);
  if (r.interval_rule != "Wilson, square-and-add") return;
  const double x = won / n, y = lost / n, m = static_cast<double>(sums.size());
  const Interval w = wilson_interval(x * m, m), l = wilson_interval(y * m, m);
  const double c = x > 0 && y > 0 ? -std::sqrt(x * y / ((1 - x) * (1 - y))) : 0;
  const auto add = [c](double u, double v) { return std::sqrt(u * u - 2 * c * u * v + v * v); };
  EXPECT_NEAR(r.interval.low, std::max(-1.0, x - y - add(x - w.low, l.high - y)), 1e-9);
  EXPECT_NEAR(r.interval.high, std::min(1.0, x - y + add(w.high - x, y - l.low)), 1e-9);
}

TEST(PairedDefinition, ResultsOfRandomPairs) {
  std::mt19937_64 random(5);
  const std::vector<std::string> documents{"", "d1", "d2", "d3"};
  for (int repeat = 0; repeat < 200; ++repeat) {
    const std::uint64_t grain = 1 + random() % 4;  // 1: scores of 0 and 1
    const std::uint64_t clusters = 1 + random() % documents.size();
    std::vector<Pair> pairs;
    for (std::uint64_t i = 0, n = 1 + random() % 14; i < n; ++i) {
      const auto score = [&] {
        return static_cast<double>(random() % (grain + 1)) / static_cast<double>(grain);
      };
      const double a = score(), b = score();
      pairs.push_back({a, b, documents[random() % clusters]});
    }
    SCOPED_TRACE(repeat);
    expect_result(pairs);
  }
}

// One score between 0 and 1, on either side, makes the counts of McNemar's test meaningless.
TEST(PairedDefinition, OnePartialScoreIsEnoughForTheSignFlip) {
  for (const Pair& odd : {Pair{0.5, 1, ""}, Pair{0.5, 0, ""}, Pair{1, 0.5, ""}, Pair{0, 0.5, ""}}) {
    std::vector<Pair> pairs(5, {0, 1, ""});
    pairs.push_back(odd);
    EXPECT_EQ(compare_pairs(pairs).test, "sign-flip") << odd.a << " " << odd.b;
  }
}

// Sums of n shares of 1 / n may round beyond 1: the interval is one nevertheless.
TEST(PairedDefinition, EverySampleLostIsALossOfOne) {
  for (std::size_t n = 3; n <= 120; ++n) {
    const PairedResult lost = compare_pairs(std::vector<Pair>(n, {1, 0, ""}));
    EXPECT_NEAR(lost.interval.low, -1, 1e-12) << n;
    EXPECT_LT(lost.interval.high, 0) << n;
    EXPECT_GE(lost.interval.high, -1) << n;
    const PairedResult won = compare_pairs(std::vector<Pair>(n, {0, 1, ""}));
    EXPECT_NEAR(won.interval.high, 1, 1e-12) << n;
    EXPECT_GT(won.interval.low, 0) << n;
    EXPECT_LE(won.interval.low, 1) << n;
  }
}

// The most frequent difference is of clusters' means: ten clusters of other means are enough,
// whatever their sums.
TEST(PairedDefinition, ClustersVaryByTheirMeans) {
  std::vector<std::string> names;
  names.reserve(24);
  for (int i = 0; i < 24; ++i) names.push_back("document " + std::to_string(i));
  const auto rule = [&](const auto& size_of) {
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto [samples, gain] = size_of(static_cast<int>(i));
      pairs.insert(pairs.end(), static_cast<std::size_t>(samples), {0.25, 0.25 + gain, names[i]});
    }
    return compare_pairs(pairs).interval_rule;
  };
  using Shape = std::pair<int, double>;
  EXPECT_EQ(rule([](int i) { return Shape(1 + i, 0.125); }), "Wilson, square-and-add")
      << "sums differ, means do not";
  EXPECT_EQ(rule([](int i) { return Shape(i < 14 ? 1 : 2, i < 14 ? 0.25 : 0.125); }), "bootstrap")
      << "sums agree, means do not";
  EXPECT_EQ(rule([](int i) { return Shape(1, i < 15 ? 0.25 : 0.125); }), "Wilson, square-and-add");
  EXPECT_EQ(rule([](int i) { return Shape(1, 0.03 * i); }), "bootstrap") << "no two agree";
  names.resize(11);
  EXPECT_EQ(rule([](int i) { return Shape(1, 0.03 * i); }), "bootstrap") << "one most frequent";
  names.resize(10);
  EXPECT_EQ(rule([](int i) { return Shape(1, 0.03 * i); }), "Wilson, square-and-add");
}

TEST(PairedDefinition, SuiteOfOneCellIsTheCellAndItsTestTheFlips) {
  const std::vector<Pair> pairs{{0, 1, "x"}, {0.5, 1, "x"}, {1, 0.5, "y"}, {0, 0.25, ""}};
  const PairedCell cell{1024, pairs, compare_pairs(pairs)};
  const PairedResult suite = compare_suite(std::vector<PairedCell>{cell});
  EXPECT_EQ(suite.n, 4);
  EXPECT_EQ(suite.clusters, 3);
  EXPECT_DOUBLE_EQ(suite.difference, cell.result.difference);
  EXPECT_DOUBLE_EQ(suite.p_value, sign_flip_p(Values{1.5, -0.5, 0.25}));
  EXPECT_EQ(suite.adjusted_p, suite.p_value);
  EXPECT_EQ(suite.smallest_visible, cell.result.smallest_visible);
  EXPECT_EQ(suite.interval_rule, "of the parts, combined");
}

// Cluster sums carry the weight of their cell: a cell of one sample weighs as much as one of four.
TEST(PairedDefinition, SuiteWeighsCellsNotSamples) {
  const std::vector<Pair> one{{0, 1, ""}}, four(4, {0.5, 0, ""});
  const std::vector<PairedCell> cells{{1024, one, compare_pairs(one)},
                                      {1024, four, compare_pairs(four)},
                                      {2048, four, compare_pairs(four)}};
  const PairedResult suite = compare_suite(cells);
  Values sums{1.0 / 4};
  sums.insert(sums.end(), 4, -0.5 / 4 / 4);
  sums.insert(sums.end(), 4, -0.5 / 2 / 4);
  EXPECT_NEAR(suite.difference, sum_of(sums), 1e-12);
  EXPECT_DOUBLE_EQ(suite.p_value, sign_flip_p(sums));
}

TEST(PairedDefinition, NothingToCompareIsAnError) {
  const auto error = [](auto compare) -> std::string {
    try {
      compare();
    } catch (const std::exception& thrown) {
      return thrown.what();
    }
    return "";
  };
  EXPECT_NE(error([] { compare_pairs({}); }).find("a comparison needs pairs"), std::string::npos);
  EXPECT_NE(error([] { compare_suite({}); }).find("a comparison needs cells"), std::string::npos);
  adjust_p_values({});
}

}  // namespace
}  // namespace elastic::runs
