#pragma once

// What a run will do, before anything is loaded: tasks with their profiles, cells of task x length
// in the order they run, modes. Data of a cell are made once and used by every mode, so the modes
// of a cell run next to each other; short lengths come first, so that a table fills early.
//
//   const Plan plan = make_plan(options, {.window = 8192, .demo = true}, tasks::suites());

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "harness/run/run_options.h"
#include "tasks/suite.h"

namespace elastic::harness {

struct PlannedTask {
  std::unique_ptr<tasks::Task> task;
  std::string profile;
};

struct PlannedCell {
  const PlannedTask* task = nullptr;  // into Plan::tasks
  std::int64_t length = 0;            // 0 where the task has none
  std::int64_t samples = 0;           // per mode; 0 = all there are, or `share` of them
  double share = 1;
};

/// Samples that a share of `all` means: at least one, rounded up.
std::int64_t share_of(std::int64_t all, double share);

struct Plan {
  std::vector<std::unique_ptr<PlannedTask>> tasks;
  std::vector<PlannedCell> cells;
  std::vector<std::string> modes;     // as typed
  std::vector<std::int64_t> lengths;  // of tasks that have them
};

struct PlanModel {
  std::int64_t window = 0;  // max_position_embeddings
  bool demo = false;        // --model demo: the built-in profiles
};

/// Throws kInvalidArgument naming the flag, the value and what is possible (a length beyond the
/// window is not); kUnsupported for a flag that would change results and cannot act on these tasks.
Plan make_plan(const RunOptions& options, const PlanModel& model,
               std::span<const tasks::Suite> suites);

/// What is loaded for a cell; `chat` is the checkpoint's, null where it has none.
tasks::LoadRequest load_request(const RunOptions& options, const PlannedCell& cell,
                                const engine::Tokenizer* tokenizer,
                                const engine::ChatTemplate* chat = nullptr);

}  // namespace elastic::harness
