#include "engine/generate/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"

namespace elastic::engine {
namespace {

TEST(Sampler, GreedyTakesTheFirstOfEqualsAndSkipsNaN) {
  const std::vector<float> logits = {NAN, 1, 3, 3, -INFINITY};
  EXPECT_EQ(argmax(logits), 2);
  SplitMix64 stream(1);
  EXPECT_EQ(sample(logits, {.temperature = 0}, stream), 2);
  EXPECT_EQ(argmax(std::vector<float>{NAN, NAN}), 0);
}

TEST(Sampler, RowsThatAreNoNumbersAreRefused) {
  std::vector<float> logits(1000, -3.0f);
  check_finite(logits);
  check_finite(std::vector<float>{3.4e38f, -3.4e38f, 0, -0.0f});
  for (const float bad : {NAN, -NAN, INFINITY, -INFINITY}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{517}, logits.size() - 1}) {
      std::vector<float> row = logits;
      row[at] = bad;
      try {
        check_finite(row);
        ADD_FAILURE() << bad << " at " << at;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kNonFinite);
        EXPECT_NE(std::string(error.what()).find("1 of 1000 logits"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("token " + std::to_string(at) + ","),
                  std::string::npos)
            << error.what();
      }
    }
  }
}

std::map<std::int32_t, int> draw(const std::vector<float>& logits, const Sampling& sampling,
                                 int n) {
  SplitMix64 stream(sampling.seed);
  std::map<std::int32_t, int> counts;
  for (int i = 0; i < n; ++i) ++counts[sample(logits, sampling, stream)];
  return counts;
}

TEST(Sampler, FollowsTheSoftmaxAtTheTemperature) {
  const std::vector<float> logits = {0, std::log(3.0f)};
  constexpr int kDraws = 20000;
  auto plain = draw(logits, {.temperature = 1, .seed = 7}, kDraws);
  EXPECT_NEAR(plain[1] / double{kDraws}, 0.75, 0.01);
  auto hot = draw(logits, {.temperature = 2, .seed = 7}, kDraws);
  EXPECT_NEAR(hot[1] / double{kDraws}, std::sqrt(3.0) / (1 + std::sqrt(3.0)), 0.012);
}

TEST(Sampler, TopKAndTopPKeepTheMostLikely) {
  const std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.3f),
                                     std::log(0.2f)};
  auto top_k = draw(logits, {.temperature = 1, .top_k = 2}, 2000);
  EXPECT_EQ(top_k.size(), 2u);
  EXPECT_TRUE(top_k.contains(1) && top_k.contains(2));
  // .4 + .3 first reaches .65; .4 alone reaches .39
  EXPECT_EQ(draw(logits, {.temperature = 1, .top_p = 0.65}, 2000).size(), 2u);
  EXPECT_EQ(draw(logits, {.temperature = 1, .top_p = 0.39}, 2000).size(), 1u);
  EXPECT_EQ(draw(logits, {.temperature = 1, .top_p = 1}, 2000).size(), 4u);
}

// The share is reached, so no more are kept.
TEST(Sampler, TopPStopsWhereTheShareIsReached) {
  EXPECT_EQ(draw({0, 0, 0, 0}, {.temperature = 1, .top_p = 0.5}, 200).size(), 2u);
}

// The one kept is the one that greedy decoding takes.
TEST(Sampler, TopOneOfEqualsIsTheFirst) {
  const std::vector<float> logits = {1, 3, 0, 3, 3};
  const auto counts = draw(logits, {.temperature = 1, .top_k = 1}, 50);
  EXPECT_EQ(counts, (std::map<std::int32_t, int>{{1, 50}}));
  const auto two = draw(logits, {.temperature = 1, .top_k = 2}, 200);
  EXPECT_EQ(two.size(), 2u);
  EXPECT_TRUE(two.contains(1) && two.contains(3));
}

TEST(Sampler, ASeedGivesTheSameTokens) {
  std::vector<float> logits(50);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 7);
  SplitMix64 a(5), b(5), c(6);
  int equal_to_other_seed = 0;
  for (int i = 0; i < 100; ++i) {
    const Sampling sampling{.temperature = 1.5};
    const std::int32_t id = sample(logits, sampling, a);
    EXPECT_EQ(id, sample(logits, sampling, b));
    equal_to_other_seed += id == sample(logits, sampling, c) ? 1 : 0;
  }
  EXPECT_LT(equal_to_other_seed, 50);
}

TEST(Sampler, SenselessSettingsAreRefused) {
  for (const Sampling& bad : {Sampling{.temperature = -1}, Sampling{.temperature = NAN},
                              Sampling{.temperature = 1, .top_p = 0}, Sampling{.top_p = 1.5},
                              Sampling{.top_p = NAN}, Sampling{.top_k = -1}}) {
    EXPECT_THROW(check_sampling(bad), Error);
  }
  EXPECT_NO_THROW(check_sampling({.temperature = 0.7, .top_p = 0.9, .top_k = 40}));
}

// The token whose stretch of the kept weights holds the next number of the stream.
TEST(Sampler, ADrawIsAPlaceAmongTheKeptWeights) {
  const std::vector<float> logits = {std::log(1.0f), std::log(4.0f), std::log(2.0f),
                                     std::log(8.0f)};
  const Sampling sampling{.temperature = 1, .top_p = 0.9};  // 8 + 4 + 2 of 15
  SplitMix64 drawn(3), numbers(3);
  for (int i = 0; i < 300; ++i) {
    const double place = numbers.uniform() * 14;
    EXPECT_EQ(sample(logits, sampling, drawn), place < 8 ? 3 : place < 12 ? 1 : 2);
  }
}

TEST(Sampler, NoDrawIsMadeWhereThereIsNoChoice) {
  SplitMix64 used(9), fresh(9);
  EXPECT_EQ(sample(std::vector<float>{1, 2}, {.temperature = 0}, used), 1);
  EXPECT_EQ(sample(std::vector<float>{NAN, NAN}, {.temperature = 1}, used), 0);
  EXPECT_EQ(used.uniform(), fresh.uniform());
  EXPECT_EQ(draw({0, 0}, {.temperature = 1, .top_k = 40}, 100).size(), 2u) << "fewer than top_k";
}

std::string refusal_of(const Sampling& sampling) {
  try {
    check_sampling(sampling);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    return error.what();
  }
  return "";
}

TEST(Sampler, RefusalsNameFieldValueAndRange) {
  EXPECT_EQ(refusal_of({.temperature = -0.5}), "temperature is -0.5, expected a number >= 0");
  EXPECT_EQ(refusal_of({.temperature = INFINITY}), "temperature is inf, expected a number >= 0");
  EXPECT_EQ(refusal_of({.top_p = 0}), "top_p is 0, expected 0 < top_p <= 1");
  EXPECT_EQ(refusal_of({.top_p = 1.25}), "top_p is 1.25, expected 0 < top_p <= 1");
  EXPECT_EQ(refusal_of({.top_k = -2}), "top_k is -2, expected 0 (all) or more");
  EXPECT_EQ(refusal_of({.temperature = 0, .top_p = 1, .top_k = 0}), "");
  EXPECT_EQ(refusal_of({.temperature = 0.25, .top_p = 0.25, .top_k = 1}), "");
}

TEST(Sampler, DamagedRowsAreCounted) {
  constexpr float kMost = std::numeric_limits<float>::max();
  EXPECT_NO_THROW(check_finite(std::vector<float>{kMost, -kMost}));
  std::vector<float> row(20, 1);
  row[7] = row[9] = INFINITY;
  row[19] = NAN;
  try {
    check_finite(row);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "3 of 20 logits of the next token are NaN or infinite (first: token 7, inf); the "
                 "weights are damaged, or overflow in this dtype: try --dtype fp32");
  }
}

}  // namespace
}  // namespace elastic::engine
