#include "runs/repetition.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace elastic::runs {
namespace {

using Times = std::vector<std::vector<double>>;

// 100, 100 + step, ... of `count` values.
std::vector<double> ramp(int count, double step) {
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) values.push_back(100 + i * step);
  return values;
}

// Turns that a rule asks for where each turn of things gives the next of their times.
int turns_of(const Repetition& rule, const std::vector<std::vector<double>>& streams,
             double seconds_a_turn = 0) {
  Times times(streams.size());
  int turns = 0;
  do {
    for (std::size_t i = 0; i < streams.size(); ++i) {
      times[i].push_back(streams[i][static_cast<std::size_t>(turns) % streams[i].size()]);
    }
    ++turns;
  } while (!enough(rule, times, turns * seconds_a_turn));
  return turns;
}

// Of six the extremes enclose the median: 100 to 105 about 102.5. Of nine the values beside them:
// 101 to 107 about 104.
TEST(Repetition, SpreadIsHalfTheIntervalOverTheMedian) {
  EXPECT_FALSE(median_spread(ramp(5, 0)));
  EXPECT_DOUBLE_EQ(*median_spread(ramp(6, 1)), 100 * 2.5 / 102.5);
  EXPECT_DOUBLE_EQ(*median_spread(ramp(9, 1)), 100 * 3. / 104);
  EXPECT_DOUBLE_EQ(*median_spread(ramp(6, 0)), 0);
}

TEST(Repetition, AFixedNumberAsksForNoInterval) {
  EXPECT_EQ(turns_of({.fixed = 1}, {{1, 1000}}), 1);
  EXPECT_EQ(turns_of({.fixed = 3}, {{5}, {7}}), 3);
  EXPECT_EQ(turns_of({.fixed = 60}, {{5}}, 1000), 60) << "neither cap ends it";
}

TEST(Repetition, EndsWithTheFirstIntervalThatIsNarrow) {
  EXPECT_EQ(turns_of({}, {{5}}), 6) << "five have none";
  // 4 % apart: half of it is 2 % of the lower, a little less of the median between.
  EXPECT_EQ(turns_of({}, {{100, 104}}), 6);
  EXPECT_EQ(turns_of({}, {{100, 105}}), 50) << "half and half never settle";
  // Nine stand for an outlier at either end.
  EXPECT_EQ(turns_of({}, {{90, 100, 100, 100, 100, 100, 100, 100, 110}}), 9);
  EXPECT_EQ(turns_of({.within = 12}, {{90, 100, 100, 100, 100, 100, 100, 100, 110}}), 6);
}

TEST(Repetition, WhatTakesTurnsEndsTogether) {
  EXPECT_EQ(turns_of({}, {{5}, {90, 100, 100, 100, 100, 100, 100, 100, 110}}), 9);
  EXPECT_EQ(turns_of({}, {{5}, {1, 2}}), 50);
}

TEST(Repetition, CapsAreTurnsAndSecondsOfEachThing) {
  EXPECT_EQ(turns_of({.most = 8}, {{1, 2}}), 8);
  EXPECT_EQ(turns_of({}, {{1, 2}}, 2.5), 8) << "20 s";
  EXPECT_EQ(turns_of({}, {{1, 2}, {1, 2}}, 2.5), 16) << "40 s of two";
  EXPECT_EQ(turns_of({}, {{1, 2}}, 300), 5) << "never fewer than the least";
}

}  // namespace
}  // namespace elastic::runs
