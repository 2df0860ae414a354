// Small trained checkpoints: stories260K (float64 logits, greedy text) and routed-7m (prompts with
// continuations and routing of three modes).

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iostream>

#include "base/json.h"
#include "engine/api/tokenizer.h"
#include "tests/engine/golden_run.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

using elastic::testing::cpu_generator;
using elastic::testing::data_path;
using elastic::testing::golden_folder;

std::vector<std::int32_t> ids_of(const Json& list) { return list.get<std::vector<std::int32_t>>(); }

double logsumexp(std::span<const float> row) {
  double largest = -INFINITY, sum = 0;
  for (const float value : row) largest = std::max<double>(largest, value);
  for (const float value : row) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

void check_stories_logits(Generator& generator, const Json& stored) {
  constexpr double kTolerance = 1e-3;
  Request request;
  request.ids = ids_of(stored["ids"]);
  request.max_new_tokens = 0;
  request.all_logits = true;
  const Result result = generator.generate(request);
  const NamedTensor& logits = elastic::testing::tensor_named(result, "logits");
  const auto width = static_cast<std::size_t>(logits.shape[1]);
  const auto last = stored["last_row"].get<std::vector<double>>();
  ASSERT_EQ(last.size(), width);
  const std::span<const float> values(logits.values);
  for (std::size_t i = 0; i < width; ++i) {
    EXPECT_NEAR(values[(request.ids.size() - 1) * width + i], last[i], kTolerance);
  }
  for (std::size_t row = 0; row < request.ids.size(); ++row) {
    const auto slice = values.subspan(row * width, width);
    EXPECT_NEAR(logsumexp(slice), stored["row_logsumexp"][row].get<double>(), kTolerance);
    const auto best = std::max_element(slice.begin(), slice.end()) - slice.begin();
    EXPECT_EQ(best, stored["argmax"][row].get<std::int64_t>());
  }
}

TEST(Golden_stories260K, LogitsAndGreedyText) {
  const auto folder = golden_folder("stories260K");
  const auto model = data_path("weights/stories260K-hf");
  if (folder.empty() || model.empty()) GTEST_SKIP() << "golden folder absent: stories260K";
  const Json stored = read_json(folder / "logits.json");
  const auto generator = cpu_generator(model);
  int cases = 1;
  ASSERT_GT(stored["greedy"].size(), 0u);
  ASSERT_GT(stored["logits"]["ids"].size(), 1u);
  check_stories_logits(*generator, stored["logits"]);
  for (const Json& greedy : stored["greedy"]) {
    const std::vector<std::int32_t> all = ids_of(greedy["greedy_ids"]);
    Request request;
    request.ids = ids_of(greedy["prompt_ids"]);
    request.max_new_tokens = static_cast<std::int64_t>(all.size() - request.ids.size());
    std::vector<std::int32_t> ids = request.ids;
    const Result result = generator->generate(request);
    ids.insert(ids.end(), result.ids.begin(), result.ids.end());
    EXPECT_EQ(ids, all);
    ++cases;
  }
  std::cout << cases << " cases ran\n";
  EXPECT_EQ(cases, 1 + static_cast<int>(stored["greedy"].size()));
}

struct RoutedCounts {
  int cases = 0, different_decisions = 0, different_answers = 0;
};

// Decisions with a gap below kGap may fall either way; then the continuation may differ too.
void check_routed_prompt(Generator& generator, const Tokenizer& tokenizer, const Json& row,
                         RoutedCounts& counts) {
  constexpr double kGap = 0.02;
  const bool close = row["min_router_gap"].get<double>() < kGap;
  for (const char* mode : {"fa", "ssa", "fa-ssa"}) {
    SCOPED_TRACE(mode);
    generator.set_mode(mode);
    Request request;
    request.ids = tokenizer.encode(row["prompt"].get<std::string>());
    EXPECT_EQ(request.ids.size(), row["prompt_tokens"].get<std::size_t>());
    request.max_new_tokens = 12;
    const Result result = generator.generate(request);
    const bool routed = std::string_view(mode) == "fa-ssa";
    const bool same_answer = result.ids == ids_of(row[mode]["ids"]);
    const bool same_routing =
        !routed || result.trace.routing == row["routing"].get<std::vector<std::string>>();
    counts.different_decisions += same_routing ? 0 : 1;
    counts.different_answers += same_answer ? 0 : 1;
    EXPECT_TRUE(same_routing || close) << "routing";
    EXPECT_TRUE(same_answer || (routed && close)) << "continuation " << result.text;
    if (same_answer) {
      EXPECT_EQ(result.text, row[mode]["text"].get<std::string>());
    }
    if (routed && same_routing) {
      EXPECT_NEAR(result.trace.msr, row["msr"].get<double>(), 1e-6);
    }
    ++counts.cases;
  }
}

TEST(Golden_routed_7m, ContinuationsAndRouting) {
  const auto folder = golden_folder("routed-7m");
  const auto model = data_path("weights/routed-7m");
  if (folder.empty() || model.empty()) GTEST_SKIP() << "golden folder absent: routed-7m";
  const auto generator = cpu_generator(model);
  const Tokenizer tokenizer = Tokenizer::load(model);
  std::ifstream lines(folder / "prompts.jsonl");
  RoutedCounts counts;
  int prompts = 0;
  for (std::string line; std::getline(lines, line);) {
    SCOPED_TRACE("prompt " + std::to_string(++prompts));
    check_routed_prompt(*generator, tokenizer, parse_json(line, "prompts.jsonl"), counts);
  }
  std::cout << counts.cases << " cases ran (" << prompts << " prompts); "
            << counts.different_decisions << " routings and " << counts.different_answers
            << " continuations differ\n";
  EXPECT_GT(prompts, 0);
  EXPECT_EQ(counts.cases, 3 * prompts);
}

}  // namespace
}  // namespace elastic::engine
