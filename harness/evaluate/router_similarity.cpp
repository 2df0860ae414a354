#include "harness/evaluate/router_similarity.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"

namespace elastic::harness {
namespace {

TaskPrompts& group_of(std::vector<TaskPrompts>& groups, const std::string& name) {
  const auto found = std::find_if(groups.begin(), groups.end(),
                                  [&](const TaskPrompts& group) { return group.task == name; });
  return found != groups.end() ? *found : groups.emplace_back(TaskPrompts{name, {}});
}

Progress make_progress(const std::vector<TaskPrompts>& prompts) {
  std::int64_t items = 0;
  double tokens = 0;
  for (const TaskPrompts& group : prompts) {
    items += static_cast<std::int64_t>(group.ids.size());
    for (const auto& ids : group.ids) tokens += static_cast<double>(ids.size());
  }
  return {"similarity", items, tokens};
}

}  // namespace

std::vector<TaskPrompts> task_prompts(const RunSetup& setup, Grouping grouping) {
  const PromptParts parts = load_prompt_parts(setup.model);
  const std::vector<PreparedCell> cells = prepare_cells(setup, parts);
  std::vector<TaskPrompts> groups;
  for (const PreparedCell& cell : cells) {
    const tasks::TaskInfo& info = cell.task->task->info();
    TaskPrompts& group = group_of(groups, grouping == Grouping::kTask ? info.name : info.category);
    for (const tasks::Sample& sample : cell.samples) {
      PreparedPrompt prompt = prepare_prompt(prompt_request(setup, parts, cell, sample));
      if (prompt.error) {
        log_warning(
            fmt::format("{}, sample {} left out: {}", info.name, sample.index, *prompt.error));
        continue;
      }
      group.ids.push_back(std::move(prompt.prompt.ids));
    }
  }
  for (const TaskPrompts& group : groups) {
    if (!group.ids.empty()) continue;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: none of its samples can run with this model; leave it out of "
                            "--tasks or choose other --lengths",
                            group.task));
  }
  return groups;
}

std::vector<reports::TaskSimilarity> router_similarity(engine::Generator& generator,
                                                       const std::vector<TaskPrompts>& prompts,
                                                       const std::vector<std::int64_t>& layers) {
  const std::int64_t deepest = *std::max_element(layers.begin(), layers.end()) + 1;
  std::vector<std::vector<reports::TaskFeatures>> features(layers.size());  // [layer][task]
  Progress progress = make_progress(prompts);
  for (const TaskPrompts& group : prompts) {
    for (auto& of_layer : features) of_layer.push_back({group.task, {}, {}});
    for (const std::vector<std::int32_t>& ids : group.ids) {
      if (interrupted()) return {};
      std::vector<engine::RouterFeatures> found = generator.router_features(ids, deepest);
      for (std::size_t i = 0; i < layers.size(); ++i) {
        engine::RouterFeatures& of_layer = found[static_cast<std::size_t>(layers[i])];
        features[i].back().pooled_keys.push_back(std::move(of_layer.pooled_keys));
        features[i].back().task_mlp.push_back(std::move(of_layer.task));
      }
      progress.advance(static_cast<double>(ids.size()), group.task);
    }
  }
  std::vector<reports::TaskSimilarity> similarities;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    similarities.push_back(
        reports::task_similarity(generator.model().name, layers[i], std::move(features[i])));
  }
  return similarities;
}

}  // namespace elastic::harness
