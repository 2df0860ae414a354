// What a run says of itself: its specification, its progress, its warm-ups, its batches.

#include <fmt/format.h>

#include <map>
#include <stdexcept>

#include "base/error.h"
#include "base/json.h"
#include "runs/record_json.h"
#include "tests/harness/runner_fixture.h"

namespace elastic::harness {
namespace {

class RunnerEdges : public Runner {
 protected:
  RunnerEdges() {
    options_.tasks = "ruler/fake";
    options_.modes = "fa";
    options_.lengths = "128";
    options_.limit = 2;
  }

  // What the run of a folder says on standard error.
  std::string said(const std::filesystem::path& folder) {
    set_log_rank(0);
    ::testing::internal::CaptureStderr();
    run(folder);
    set_log_rank(1);
    return ::testing::internal::GetCapturedStderr();
  }

  std::size_t warm_ups() const {
    std::size_t n = 0;
    for (const engine::Request& request : engine_.requests_) n += request.ignore_eos;
    return n;
  }
};

TEST_F(RunnerEdges, TheSpecificationIsWhole) {
  options_.tasks = "ruler,longbench/set";
  options_.modes = "fa,ssa";
  options_.lengths = "128,256";
  options_.thinking = "off";
  options_.max_length = 300;
  engine_.device_ = "cuda:1";
  change_ = [](FakeTask& task) {
    if (task.info_.name == "longbench/set") task.info_.category = "sets";
  };
  run(folder_.path());
  runs::RunSpec spec = runs::read_run(folder_.path()).spec;
  EXPECT_EQ(spec.created.size(), std::string("2026-01-31T09:30:00Z").size());
  EXPECT_EQ(spec.data_ids.size(), 5u);
  spec.created.clear();
  spec.data_ids.clear();
  EXPECT_EQ(
      dump_line(runs::spec_to_json(spec)),
      R"({"schema_version":1,"created":"","settings":{"bos":"single","chat_template":"on",)"
      R"("config_sha256":"c0","decoding":"greedy","device":"accelerator","dtype":"fp32",)"
      R"("max_length":"300","max_new_tokens":"default","model_sha256":"w0",)"
      R"("model_template":"base","profile_longbench":"longbench@official",)"
      R"("profile_ruler":"ruler@official","seed":"7","thinking":"off","thinking_tokens":"default",)"
      R"("tokenizer_sha256":""},"environment":{},"modes":["fa","ssa"],)"
      R"("mode_options":{"fa":"fa","ssa":"ssa"},)"
      R"("tasks":["longbench/set","ruler/fake","ruler/second"],"lengths":[128,256],)"
      R"("planned_samples":20,"planned":{"fa|longbench/set|0":2,"fa|ruler/fake|128":2,)"
      R"("fa|ruler/fake|256":2,"fa|ruler/second|128":2,"fa|ruler/second|256":2,)"
      R"("ssa|longbench/set|0":2,"ssa|ruler/fake|128":2,"ssa|ruler/fake|256":2,)"
      R"("ssa|ruler/second|128":2,"ssa|ruler/second|256":2},"data_ids":{},"source_ids":{},)"
      R"("licences":{},"categories":{"longbench/set":"sets","ruler/fake":"testing",)"
      R"("ruler/second":"testing"},"templates":{}})");
}

// Four bytes of a text without a stated length count as a token.
TEST_F(RunnerEdges, ProgressIsByTokens) {
  options_.lengths = "128,256";
  const std::string all = said(folder_ / "a");
  EXPECT_NE(all.find("run 1/4  17% of tokens"), std::string::npos) << all;
  EXPECT_NE(all.find("  fa ruler/fake 128\n"), std::string::npos) << all;
  EXPECT_NE(all.find("run 4/4  100% of tokens"), std::string::npos) << all;
  EXPECT_NE(all.find("  fa ruler/fake 256\n"), std::string::npos) << all;
  options_.limit = 3;
  const std::string rest = said(folder_ / "a");
  EXPECT_NE(rest.find("run 1/2  33% of tokens"), std::string::npos) << rest;
  EXPECT_NE(rest.find("run 2/2  100% of tokens"), std::string::npos) << rest;
  options_.tasks = "longbench/set,ruler/fake";
  options_.lengths = "128";
  options_.limit = 1;
  change_ = [](FakeTask& task) { task.salt_ = std::string(400, 'x'); };
  const std::string mixed = said(folder_ / "b");
  EXPECT_NE(mixed.find("run 1/2  44% of tokens"), std::string::npos) << "406 bytes:\n" << mixed;
  EXPECT_NE(mixed.find("  fa longbench/set\n"), std::string::npos) << mixed;
}

TEST_F(RunnerEdges, AWarmUpMayFailButNotItsDevice) {
  for (const bool known : {true, false}) {
    engine_.before_ = [known](const engine::Request& request) {
      if (!request.ignore_eos) return;
      if (known) throw Error(ErrorKind::kOutOfMemory, "too cold");
      throw std::runtime_error("too cold");
    };
    const std::filesystem::path folder = folder_ / (known ? "known" : "unknown");
    run(folder);
    EXPECT_EQ(runs::read_run(folder).samples.size(), 2u);
  }
  engine_.before_ = [](const engine::Request&) { throw Error(ErrorKind::kDevice, "lost"); };
  engine_.requests_.clear();
  EXPECT_THROW(run(folder_ / "lost"), Error);
  EXPECT_EQ(engine_.requests_.size(), 1u);
}

TEST_F(RunnerEdges, AModeIsWarmedUpOnce) {
  options_.lengths = "128,256,512";
  options_.modes = "fa,ssa";
  run(folder_ / "a");
  EXPECT_EQ(warm_ups(), 2u);
  engine_.requests_.clear();
  options_.lengths = "128,256,512,1024";
  run(folder_ / "a");
  EXPECT_EQ(warm_ups(), 2u) << "again, where there is something to run";
  EXPECT_EQ(engine_.requests_.size(), 2u + 4u);
  engine_.requests_.clear();
  change_ = [](FakeTask& task) { task.refused_ = 0; };
  options_.limit = 1;
  EXPECT_EQ(run(folder_ / "refused").failed, 8);
  EXPECT_EQ(engine_.requests_.size(), 0u) << "no prompt to warm up with";
}

TEST_F(RunnerEdges, BatchesAreFullButTheLast) {
  options_.limit = 7;
  const std::vector<std::vector<std::int64_t>> expected{
      {1, 1, 1, 1, 1, 1, 1}, {2, 2, 2, 2, 2, 2, 1}, {3, 3, 3, 3, 3, 3, 1}, {4, 4, 4, 4, 3, 3, 3},
      {5, 5, 5, 5, 5, 2, 2}, {6, 6, 6, 6, 6, 6, 1}, {7, 7, 7, 7, 7, 7, 7}, {7, 7, 7, 7, 7, 7, 7}};
  for (std::size_t size = 1; size <= expected.size(); ++size) {
    options_.batch_size = static_cast<std::int64_t>(size);
    const std::filesystem::path folder = folder_ / std::to_string(size);
    EXPECT_EQ(run(folder).ran, 7);
    std::vector<std::int64_t> batches;
    for (const runs::SampleRecord& r : runs::read_run(folder).samples) {
      batches.push_back(r.batch.value());
    }
    EXPECT_EQ(batches, expected[size - 1]) << size;
  }
}

// One of a batch cannot be asked; the others are asked together.
TEST_F(RunnerEdges, ABatchGoesOnWithoutWhatCannotBeAsked) {
  options_.limit = 4;
  options_.batch_size = 4;
  change_ = [](FakeTask& task) { task.refused_ = 2; };
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.failures, (std::map<runs::Outcome, std::int64_t>{{runs::Outcome::kError, 1}}));
  for (const runs::SampleRecord& r : runs::read_run(folder_.path()).samples) {
    EXPECT_EQ(r.batch.value_or(0), r.index == 2 ? 0 : 3);
  }
}

TEST_F(RunnerEdges, PromptsAreMadeOnceForAllModes) {
  options_.modes = "fa,ssa";
  int made = 0;
  change_ = [&](FakeTask& task) { task.seen_ = [&](const tasks::PromptContext&) { ++made; }; };
  run(folder_.path());
  EXPECT_EQ(made, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "prompts")) << "they are kept on demand alone";
}

TEST_F(RunnerEdges, OtherDataAreNamedWhole) {
  run(folder_.path());
  change_ = [](FakeTask& task) { task.salt_ = "other words"; };
  try {
    run(folder_.path());
    ADD_FAILURE() << "continued";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(),
              folder_.path().string() +
                  ": sample 0 of fa|ruler/fake|128 was made from other data than now (its sources "
                  "or their generator changed), so the run cannot be continued; choose another "
                  "--output");
  }
}

TEST_F(RunnerEdges, ModesOfOneNameAreRefusedInFull) {
  options_.modes = "fa,ssa,alias";
  try {
    run(folder_.path());
    ADD_FAILURE() << "ran";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "--modes: `fa` and `alias` are the same mode (fa); give one of them");
  }
}

// A cell whose stated length is one token: its own length, limit and label, and its sources.
TEST_F(RunnerEdges, AStatedLengthOfOneIsALength) {
  const Plan plan = make_plan(options_, {.window = 8192}, testing::fake_suites());
  std::optional<std::int64_t> limit;
  static_cast<FakeTask&>(*plan.tasks[0]->task).seen_ = [&](const tasks::PromptContext& context) {
    limit = context.max_length;
  };
  std::vector<PreparedCell> cells = prepare(plan, options_, nullptr, 1);
  cells.at(0).length = 1;
  cells[0].identity.source_ids = {{"file", "hash"}};
  cells[0].identity.licences = {{"file", "MIT"}};
  const RunJob job{.options = options_,
                   .cells = cells,
                   .modes = resolve_modes(plan.modes, engine_),
                   .generator = engine_};
  const runs::RunSpec spec = run_spec(job);
  EXPECT_EQ(spec.lengths, std::vector<std::int64_t>{1});
  EXPECT_EQ(spec.source_ids, cells[0].identity.source_ids);
  EXPECT_EQ(spec.licences, cells[0].identity.licences);
  runs::RunStore store({.folder = folder_.path()}, spec);
  set_log_rank(0);
  ::testing::internal::CaptureStderr();
  run_samples(job, store);
  set_log_rank(1);
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("run 1/2  50% of tokens"), std::string::npos) << text;
  EXPECT_NE(text.find("  fa ruler/fake 1\n"), std::string::npos) << text;
  EXPECT_EQ(limit, 0) << "its stated length is its limit";
  EXPECT_EQ(engine_.requests_.at(0).ids.at(0), 0) << "the first sample's prompt warms up";
}

TEST_F(RunnerEdges, OneTokenLostIsATruncation) {
  change_ = [](FakeTask& task) { task.truncates_ = true; };
  options_.max_length = 117;
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.truncated, 2);
  EXPECT_EQ(outcome.truncated_tokens, 2);
}

}  // namespace
}  // namespace elastic::harness
