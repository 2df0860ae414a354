#pragma once

// What the routers of a model see of the samples of a plan, task by task: the input of the
// task-similarity report. Shared by `similarity` and `ablate`.
//
//   const std::vector<TaskPrompts> prompts = task_prompts(set_up(options), Grouping::kTask);
//   const auto similarity = router_similarity(*generator, prompts, {0});

#include <cstdint>
#include <string>
#include <vector>

#include "engine/api/generator.h"
#include "harness/evaluate/run_setup.h"
#include "reports/task_similarity.h"

namespace elastic::harness {

struct TaskPrompts {
  std::string task;  // or category
  std::vector<std::vector<std::int32_t>> ids;
};

enum class Grouping { kTask, kCategory };

/// Prompts of the plan's samples in its order, tasks at several lengths together. One that cannot
/// run is left out with a warning; a task without any throws kInvalidArgument.
std::vector<TaskPrompts> task_prompts(const RunSetup& setup, Grouping grouping);

/// One entry a layer of `layers`, under the generator's current mode. Between two prompts a noted
/// signal (base/interrupt.h) ends it: the result is empty.
std::vector<reports::TaskSimilarity> router_similarity(engine::Generator& generator,
                                                       const std::vector<TaskPrompts>& prompts,
                                                       const std::vector<std::int64_t>& layers);

}  // namespace elastic::harness
