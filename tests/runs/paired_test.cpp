// Comparison of two systems: cases with known answers, and its rate of false alarms.

#include "runs/paired.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace elastic::runs {
namespace {

std::vector<Pair> pairs_of(int both, int only_a, int only_b, int neither) {
  std::vector<Pair> pairs;
  pairs.insert(pairs.end(), static_cast<std::size_t>(both), {1, 1, ""});
  pairs.insert(pairs.end(), static_cast<std::size_t>(only_a), {1, 0, ""});
  pairs.insert(pairs.end(), static_cast<std::size_t>(only_b), {0, 1, ""});
  pairs.insert(pairs.end(), static_cast<std::size_t>(neither), {0, 0, ""});
  return pairs;
}

TEST(Paired, McNemarClosedForms) {
  EXPECT_DOUBLE_EQ(mcnemar_p(0, 0), 1);
  EXPECT_NEAR(mcnemar_p(0, 5), 2.0 / 32, 1e-12);
  EXPECT_NEAR(mcnemar_p(1, 5), 2.0 * (1 + 6) / 64, 1e-12);
  EXPECT_DOUBLE_EQ(mcnemar_p(4, 4), 1);
  EXPECT_NEAR(mcnemar_p(500, 500), 1, 1e-9);
  EXPECT_LT(mcnemar_p(400, 600), 1e-9);
}

TEST(Paired, SignFlipClosedForms) {
  EXPECT_DOUBLE_EQ(sign_flip_p(std::vector<double>{}), 1);
  EXPECT_DOUBLE_EQ(sign_flip_p(std::vector<double>{0, 0, 0}), 1);
  EXPECT_DOUBLE_EQ(sign_flip_p(std::vector<double>{1, 1, 1, 1}), 2.0 / 16);
  EXPECT_DOUBLE_EQ(sign_flip_p(std::vector<double>{1, -1}), 1);
  EXPECT_NEAR(sign_flip_p(std::vector<double>(40, 0.5)), 1.0 / 10000, 1e-12);
}

TEST(Paired, ZeroOneScores) {
  const auto pairs = pairs_of(50, 2, 10, 38);
  const PairedResult r = compare_pairs(pairs);
  EXPECT_EQ(r.test, "exact McNemar");
  EXPECT_EQ(r.n, 100);
  EXPECT_NEAR(r.mean_a, 0.52, 1e-12);
  EXPECT_NEAR(r.mean_b, 0.60, 1e-12);
  EXPECT_NEAR(r.difference, 0.08, 1e-12);
  EXPECT_NEAR(r.p_value, mcnemar_p(2, 10), 1e-15);
  // Won 0.10 [0.05523, 0.17437], lost 0.02 [0.00550, 0.07001] by Wilson; correlation
  // -sqrt(0.1 * 0.02 / (0.9 * 0.98)) = -0.047619; square-and-add.
  EXPECT_EQ(r.interval_rule, "Wilson, square-and-add");
  EXPECT_NEAR(r.interval.low, 0.08 - 0.068694, 1e-5);
  EXPECT_NEAR(r.interval.high, 0.08 + 0.076440, 1e-5);
  EXPECT_NEAR(r.smallest_visible, 2.8015852 * (0.068694 + 0.076440) / (2 * 1.959964), 1e-5);
}

// Samples that all agree show the less the fewer they are: an outcome never seen in n may still
// have a share of z^2 / (n + z^2).
TEST(Paired, NoVariationIsNoCertainty) {
  for (const int n : {1, 5, 100}) {
    SCOPED_TRACE(n);
    const double unseen = 3.841459 / (n + 3.841459);
    const PairedResult same = compare_pairs(pairs_of(n, 0, 0, 0));
    EXPECT_NEAR(same.interval.low, -unseen, 1e-6);
    EXPECT_NEAR(same.interval.high, unseen, 1e-6);
    EXPECT_NEAR(same.smallest_visible, 2.8015852 / 1.959964 * unseen, 1e-6);
  }
  const PairedResult lost = compare_pairs(pairs_of(0, 5, 0, 0));
  EXPECT_EQ(lost.interval.low, -1);
  EXPECT_GT(lost.interval.high, -0.5);
  EXPECT_LT(lost.interval.high, -0.3);
  EXPECT_GT(lost.smallest_visible, 0.4);
}

// The same loss of 0.1 forty times over has no spread to resample.
TEST(Paired, ConstantPartialDifferences) {
  const PairedResult r = compare_pairs(std::vector<Pair>(40, {0.5, 0.4, ""}));
  EXPECT_EQ(r.interval_rule, "Wilson, square-and-add");
  EXPECT_LT(r.interval.low, -0.15);
  EXPECT_GT(r.interval.high, -0.05);
}

TEST(Paired, PartialScoresThatVaryAreResampled) {
  std::vector<Pair> pairs;
  pairs.reserve(40);
  for (int i = 0; i < 40; ++i) pairs.push_back({0.5, 0.5 + 0.01 * (i % 11), ""});
  const PairedResult r = compare_pairs(pairs);
  EXPECT_EQ(r.interval_rule, "bootstrap");
  EXPECT_GT(r.interval.low, 0.02);
  EXPECT_LT(r.interval.high, 0.07);
  // Nine that moved are too few.
  pairs.assign(40, {0.5, 0.5, ""});
  for (std::size_t i = 0; i < 9; ++i) pairs[i].b = 0.9 - 0.01 * static_cast<double>(i);
  EXPECT_EQ(compare_pairs(pairs).interval_rule, "Wilson, square-and-add");
  pairs[9].b = 0.9;
  EXPECT_EQ(compare_pairs(pairs).interval_rule, "bootstrap");
}

TEST(Paired, TheOtherWayRoundIsTheMirrorImage) {
  const PairedResult r = compare_pairs(pairs_of(10, 7, 2, 11));
  const PairedResult mirrored = compare_pairs(pairs_of(10, 2, 7, 11));
  EXPECT_NEAR(r.interval.low, -mirrored.interval.high, 1e-12);
  EXPECT_NEAR(r.interval.high, -mirrored.interval.low, 1e-12);
}

// A system that loses exactly 2 points passes a limit of 2 points about as seldom as a bound at
// 97.5 % lets it: exact probabilities, lost samples only.
TEST(Paired, ALossAtTheLimitSeldomPasses) {
  for (const int n : {5, 50, 150, 189, 200, 400, 1000}) {
    double passes = 0;
    for (int lost = 0; lost <= n / 10; ++lost) {
      if (compare_pairs(pairs_of(n - lost, lost, 0, 0)).interval.low <= -0.02) continue;
      passes +=
          std::exp(std::lgamma(n + 1.0) - std::lgamma(lost + 1.0) - std::lgamma(n - lost + 1.0) +
                   lost * std::log(0.02) + (n - lost) * std::log(0.98));
    }
    EXPECT_LT(passes, 0.03) << n;
  }
}

// ruler: 0.5 and 0 at one length, -0.25 at the other: (0.25 - 0.25) / 2.
TEST(Paired, SuiteIsTheMeanOfTasksThenOfLengths) {
  std::vector<PairedCell> cells;
  const auto add = [&](std::int64_t length, const std::vector<Pair>& pairs) {
    cells.push_back({length, pairs, compare_pairs(pairs)});
  };
  add(1024, pairs_of(10, 0, 10, 0));
  add(1024, pairs_of(40, 0, 0, 0));
  add(2048, pairs_of(30, 10, 0, 0));
  const PairedResult suite = compare_suite(cells);
  EXPECT_EQ(suite.n, 100);
  EXPECT_EQ(suite.clusters, 100);
  EXPECT_NEAR(suite.mean_a, (0.75 + 1.0) / 2, 1e-12);
  EXPECT_NEAR(suite.mean_b, (1.0 + 0.75) / 2, 1e-12);
  EXPECT_NEAR(suite.difference, 0, 1e-12);
  const auto below = [&](std::size_t i) {
    return cells[i].result.difference - cells[i].result.interval.low;
  };
  EXPECT_NEAR(suite.interval.low, -std::hypot(below(0) / 4, below(1) / 4, below(2) / 2), 1e-12);
  EXPECT_GT(suite.p_value, 0.5);
  // With all for b the sums have one sign: the flips say so.
  cells.pop_back();
  const PairedResult better = compare_suite(cells);
  EXPECT_NEAR(better.difference, 0.25, 1e-12);
  EXPECT_LT(better.p_value, 0.01);
  EXPECT_EQ(better.test, "sign-flip");
}

TEST(Paired, SamplesOfOneDocumentCountOnce) {
  std::vector<Pair> pairs;
  const std::vector<std::string> documents = {"a", "b", "c", "d"};
  for (const std::string& document : documents) {
    for (int i = 0; i < 25; ++i) pairs.push_back({0, 1, document});
  }
  const PairedResult r = compare_pairs(pairs);
  EXPECT_EQ(r.test, "sign-flip");
  EXPECT_EQ(r.clusters, 4);
  EXPECT_DOUBLE_EQ(r.p_value, 2.0 / 16);  // 100 samples, four independent observations
}

TEST(Paired, BenjaminiHochberg) {
  std::vector<PairedResult> results(4);
  const double p[] = {0.01, 0.04, 0.03, 0.5};
  for (std::size_t i = 0; i < results.size(); ++i) results[i].p_value = p[i];
  adjust_p_values(results);
  EXPECT_NEAR(results[0].adjusted_p, 0.04, 1e-15);
  EXPECT_NEAR(results[1].adjusted_p, 0.04 * 4 / 3, 1e-15);
  EXPECT_NEAR(results[2].adjusted_p, 0.04 * 4 / 3, 1e-15);
  EXPECT_NEAR(results[3].adjusted_p, 0.5, 1e-15);
}

// 1000 comparisons of a system with itself, give or take noise: alarms at 5 % lie within the
// binomial bounds (mean 50, standard deviation 6.9) for real-valued scores, below them for the
// conservative exact test.
TEST(Paired, FalseAlarms) {
  std::mt19937_64 random(7);
  int flips = 0, exact = 0;
  for (int run = 0; run < 1000; ++run) {
    std::vector<Pair> real, binary;
    for (int i = 0; i < 14; ++i) {
      const auto draw = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
      real.push_back({draw(), draw(), ""});
    }
    for (int i = 0; i < 60; ++i) {
      binary.push_back({static_cast<double>(random() & 1), static_cast<double>(random() & 1), ""});
    }
    std::vector<double> differences;
    differences.reserve(real.size());
    for (const Pair& pair : real) differences.push_back(pair.b - pair.a);
    flips += sign_flip_p(differences) <= 0.05;
    int worse = 0, better = 0;
    for (const Pair& pair : binary) {
      worse += pair.b < pair.a;
      better += pair.b > pair.a;
    }
    exact += mcnemar_p(worse, better) <= 0.05;
  }
  EXPECT_GT(flips, 50 - 3 * 7);
  EXPECT_LT(flips, 50 + 3 * 7);
  EXPECT_LT(exact, 50 + 3 * 7);
}

}  // namespace
}  // namespace elastic::runs
