#pragma once

// A run over fakes, everything between options and folder: what the suites of the runner share.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "base/log.h"
#include "harness/run/runner.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/folders.h"

namespace elastic::harness {

using testing::FakeGenerator;
using testing::FakeTask;
using testing::TemporaryFolder;

class Runner : public ::testing::Test {
 protected:
  Runner() {
    set_log_rank(1);  // errors alone
    options_.tasks = "ruler";
    options_.modes = "fa,ssa";
    options_.lengths = "128,256";
    options_.limit = 4;
    options_.seed = 7;
  }
  ~Runner() override { set_log_rank(0); }

  RunOutcome run(const std::filesystem::path& folder, int rank = 0, int world_size = 1) {
    Plan plan = make_plan(options_, {.window = 8192}, testing::fake_suites());
    for (auto& planned : plan.tasks) change_(static_cast<FakeTask&>(*planned->task));
    const std::vector<PreparedCell> cells = prepare(plan, options_, tokenizer_, 2);
    const RunJob job{.options = options_,
                     .cells = cells,
                     .modes = resolve_modes(plan.modes, engine_),
                     .generator = engine_,
                     .tokenizer = tokenizer_,
                     .chat = chat_,
                     .rank = rank,
                     .world_size = world_size};
    runs::RunStore store({.folder = folder, .rank = rank, .world_size = world_size}, run_spec(job));
    return run_samples(job, store);
  }

  // Requests that were not a warm-up.
  std::size_t asked() const {
    std::size_t n = 0;
    for (const auto& request : engine_.requests_) n += request.max_new_tokens != 2;
    return n;
  }

  RunOptions options_;
  FakeGenerator engine_;
  const engine::Tokenizer* tokenizer_ = nullptr;
  const engine::ChatTemplate* chat_ = nullptr;
  std::function<void(FakeTask&)> change_ = [](FakeTask&) {};
  const TemporaryFolder folder_;
};

}  // namespace elastic::harness
