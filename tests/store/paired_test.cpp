// Comparison of two systems: cases with known answers, and its rate of false alarms.

#include "harness/store/paired.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace elastic::harness {
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
  ASSERT_TRUE(r.interval.has_value());
  EXPECT_LT(r.interval->low, 0.08);
  EXPECT_GT(r.interval->high, 0.08);
  // Standard deviation of the differences over 10, times 2.8016.
  const double variance = (12 - 100 * 0.08 * 0.08) / 99;
  EXPECT_NEAR(*r.smallest_visible, 2.8015852 * std::sqrt(variance / 100), 1e-6);
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
}  // namespace elastic::harness
