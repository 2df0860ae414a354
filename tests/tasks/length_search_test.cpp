#include "tasks/ruler/length_search.h"

#include <gtest/gtest.h>

#include <string>

namespace elastic::tasks {
namespace {

// A draw of n units has n bytes, and every byte is a token.
SizeSearch search_of(std::int64_t length) {
  SizeSearch search;
  search.length = length;
  search.budget = 5;
  search.extra = 2;
  search.step = 10;
  search.draw = [](std::int64_t size) {
    Draft draft;
    draft.prompt.assign(static_cast<std::size_t>(size), 'x');
    return draft;
  };
  search.count = [](std::string_view text) { return static_cast<std::int64_t>(text.size()); };
  return search;
}

LinearOptions no_glue() {
  return {.glue = [](const std::vector<std::string>&) { return std::string(); }};
}

// The linear search is gen-A's: one step further after a size that fits, the last one tried where
// it fits exactly, and one step back where it does not.
TEST(LengthSearch, LinearStopsAtTheLength) {
  SearchTrace trace;
  EXPECT_EQ(linear_size(search_of(47), no_glue(), trace), 50) << "40 + 5 + 2 fits exactly";
  EXPECT_EQ(trace.probes.back(), (std::pair<std::int64_t, std::int64_t>{40, 47}));
  EXPECT_EQ(linear_size(search_of(46), no_glue(), trace), 30) << "40 is one token too long";
  EXPECT_EQ(trace.sizes, (std::vector<std::int64_t>{50, 30}));
}

TEST(LengthSearch, LinearCaps) {
  SearchTrace trace;
  LinearOptions options = no_glue();
  options.cap_tried = 20;
  EXPECT_EQ(linear_size(search_of(1000), options, trace), 20) << "30 was tried";
  EXPECT_EQ(trace.probes.back().first, 30);
  options = no_glue();
  options.cap_next = 20;
  EXPECT_EQ(linear_size(search_of(1000), options, trace), 20);
  EXPECT_EQ(trace.probes.back().first, 20) << "30 was not tried";
}

TEST(LengthSearch, BinaryFindsTheLargestThatFits) {
  for (const std::int64_t length : {46, 47, 48}) {
    SearchTrace trace;
    EXPECT_EQ(binary_size(search_of(length), {.first = 10}, trace), length - 7);
  }
}

TEST(LengthSearch, DrawsShrinkByStepsUntilTheyFit) {
  const auto total = [](const Draft& draft) {
    return static_cast<std::int64_t>(draft.prompt.size()) + 5;
  };
  EXPECT_EQ(draw_fitting(search_of(25), 40, total).draft.prompt.size(), 20u);
  EXPECT_EQ(draw_fitting(search_of(24), 40, total).draft.prompt.size(), 10u);
  SizeSearch search = search_of(14);
  search.max_failures = 3;
  int drawn = 0;
  search.draw = [&, draw = search.draw](std::int64_t size) {
    ++drawn;
    return draw(size);
  };
  try {
    draw_fitting(search, 30, total);
    FAIL();
  } catch (const TooShort& error) {
    EXPECT_EQ(error.smallest(), 15);
  }
  EXPECT_EQ(drawn, 5) << "30, 20, and 10 three times";
}

}  // namespace
}  // namespace elastic::tasks
