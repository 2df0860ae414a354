// Where an answer ends: end-of-sequence and stop ids, the least number of tokens, stop strings.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/api/tokenizer.h"
#include "tests/engine/golden_run.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

using elastic::testing::cpu_generator;
using elastic::testing::demo;
using elastic::testing::fixture;
using elastic::testing::fixture_with;
using elastic::testing::request_of;
using elastic::testing::some_ids;

TEST(GenerateEnds, EndsAtEosUnlessTold) {
  const auto generator = cpu_generator(fixture("models/llama_linear_bias"));
  const Result free = generator->generate(request_of(some_ids(20, 3), 20));
  Request request = request_of(some_ids(20, 3), 20);
  request.stop_ids = {free.ids[4]};
  const auto first = std::find(free.ids.begin(), free.ids.end(), free.ids[4]) - free.ids.begin();
  const Result ended = generator->generate(request);
  EXPECT_EQ(ended.finish, Finish::kEos);
  EXPECT_EQ(ended.ids, std::vector<std::int32_t>(free.ids.begin(), free.ids.begin() + first + 1));
  EXPECT_EQ(free.finish, Finish::kLength);
  EXPECT_TRUE(free.text.empty());  // no tokenizer in the folder
}

// Position of the first token that is not among those before it, behind `from`.
std::size_t first_new_token(const std::vector<std::int32_t>& ids, std::size_t from) {
  for (std::size_t i = from; i < ids.size(); ++i) {
    const auto here = ids.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(ids.begin(), here, *here) == here) return i;
  }
  throw std::runtime_error("the continuation repeats itself");
}

// `request` generates `ids` when nothing ends it; token `at` of them is one that ends. With `least`
// tokens asked for, the answer ends there if least <= at, and goes on past it otherwise.
void expect_end(Generator& generator, Request request, const std::vector<std::int32_t>& ids,
                std::size_t at) {
  const auto position = static_cast<std::int64_t>(at);
  for (const std::int64_t least : {std::int64_t{0}, position, position + 1}) {
    SCOPED_TRACE(std::to_string(least) + " tokens at least");
    request.min_new_tokens = least;
    const Result result = generator.generate(request);
    if (least <= position) {
      EXPECT_EQ(result.finish, Finish::kEos);
      EXPECT_EQ(result.ids, std::vector<std::int32_t>(ids.begin(), ids.begin() + position + 1));
    } else {
      ASSERT_GT(result.ids.size(), at + 1);
      EXPECT_NE(result.ids[at], ids[at]);
      EXPECT_TRUE(std::equal(ids.begin(), ids.begin() + position, result.ids.begin()));
    }
  }
}

TEST(GenerateEnds, AnAnswerEndsNoEarlierThanAskedFor) {
  constexpr const char* kModel = "models/llama_linear_bias";
  const auto generator = cpu_generator(fixture(kModel));
  Request request = request_of(some_ids(20, 3), 20);
  const std::vector<std::int32_t> ids = generator->generate(request).ids;
  const std::size_t at = first_new_token(ids, 3);
  {
    SCOPED_TRACE("stop id");
    request.stop_ids = {ids[at]};
    expect_end(*generator, request, ids, at);
  }
  const testing::TemporaryFolder folder;
  const auto ending = cpu_generator(fixture_with(folder, kModel, "eos_token_id", ids[at]));
  SCOPED_TRACE("eos");
  request.stop_ids = {};
  request.ignore_eos = false;
  expect_end(*ending, request, ids, at);
  request.ignore_eos = true;
  request.min_new_tokens = 0;
  EXPECT_EQ(ending->generate(request).ids, ids);
}

TEST(GenerateEnds, StopStringsCutTheText) {
  const auto generator = cpu_generator(demo());
  const Tokenizer tokenizer = Tokenizer::load(demo());
  Request request = request_of(tokenizer.encode("The lake lies still. A cart rolls past."), 40);
  const Result free = generator->generate(request);
  ASSERT_GT(free.text.size(), 12u);
  const std::string stop = free.text.substr(5, 4);  // crosses tokens or not: both must work
  request.stop = {"never said", stop};
  const Result result = generator->generate(request);
  EXPECT_EQ(result.finish, Finish::kStop);
  EXPECT_EQ(result.text, free.text.substr(0, free.text.find(stop)));
  EXPECT_LT(result.ids.size(), free.ids.size());
}

}  // namespace
}  // namespace elastic::engine
