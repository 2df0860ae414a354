// Samples of a batch: together where every one has one pass, each alone where that fails.

#include <gtest/gtest.h>

#include <stdexcept>

#include "base/error.h"
#include "harness/run/sample_run.h"
#include "tests/testing/fake_engine.h"

namespace elastic::harness {
namespace {

using Sizes = std::vector<std::int64_t>;

// Gives one result too few, or too many, for requests that come together.
class MiscountingGenerator : public testing::FakeGenerator {
 public:
  std::vector<engine::Result> generate(std::span<const engine::Request> requests) override {
    std::vector<engine::Result> results = FakeGenerator::generate(requests);
    if (requests.size() > 1) {
      results.resize(static_cast<std::size_t>(std::ssize(requests) + surplus_));
    }
    return results;
  }
  std::ptrdiff_t surplus_ = 0;
};

// The batch that each sample's record names, -1 for those without an answer.
Sizes batches(testing::FakeGenerator& engine, const RunOptions& options,
              const std::vector<bool>& second_passes) {
  PlannedTask planned;
  planned.task = std::make_unique<testing::FakeTask>();
  PreparedCell cell{.task = &planned, .length = 128};
  cell.samples = planned.task->load({.length = 128, .limit = std::ssize(second_passes)});
  std::vector<PreparedPrompt> prompts;
  for (const tasks::Sample& sample : cell.samples) {
    prompts.push_back(
        prepare_prompt({.cell = cell, .sample = sample, .options = options, .window = 8192}));
    prompts.back().prompt.second_pass = second_passes[static_cast<std::size_t>(sample.index)];
  }
  std::vector<SampleRun> runs(prompts.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    runs[i].cell = &cell;
    runs[i].sample = &cell.samples[i];
    runs[i].prompt = &prompts[i];
  }
  run_batch(engine, options, runs);
  Sizes sizes;
  sizes.reserve(runs.size());
  for (const SampleRun& run : runs) sizes.push_back(run.record.batch.value_or(-1));
  return sizes;
}

TEST(Batches, RunTogetherWhereEverySampleHasOnePass) {
  testing::FakeGenerator engine;
  RunOptions options;
  EXPECT_EQ(batches(engine, options, {false, false}), (Sizes{2, 2}));
  EXPECT_EQ(batches(engine, options, {false, false, false}), (Sizes{3, 3, 3}));
  EXPECT_EQ(batches(engine, options, {false, true}), (Sizes{1, 1}));
  EXPECT_EQ(batches(engine, options, {false}), (Sizes{1}));
  EXPECT_EQ(batches(engine, options, {}), (Sizes{}));
  options.thinking = "on";
  options.thinking_tokens = 5;
  engine.after_ = [](const engine::Request&, engine::Result& result) {
    result.finish = engine::Finish::kEos;
  };
  EXPECT_EQ(batches(engine, options, {false, false}), (Sizes{1, 1}));
}

// Whatever went wrong with all of them, each is asked again, and its own failure is its own.
TEST(Batches, AreAskedOneByOneWhereTheyFail) {
  for (const bool known : {true, false}) {
    testing::FakeGenerator engine;
    int calls = 0;
    engine.before_ = [&](const engine::Request& request) {
      if (++calls > 1 && request.ids[0] != 2) return;
      if (known) throw Error(ErrorKind::kOutOfMemory, "full");
      throw std::runtime_error("odd");
    };
    EXPECT_EQ(batches(engine, {}, {false, false, false}), (Sizes{1, 1, -1})) << known;
    EXPECT_EQ(calls, 1 + 3);
  }
}

TEST(Batches, ResultsThatAreNotOneARequestAreNotTaken) {
  for (const std::ptrdiff_t surplus : {-2, -1, 1}) {
    MiscountingGenerator engine;
    engine.surplus_ = surplus;
    EXPECT_EQ(batches(engine, {}, {false, false}), (Sizes{1, 1})) << surplus;
  }
}

}  // namespace
}  // namespace elastic::harness
