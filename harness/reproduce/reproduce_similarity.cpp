// Similarity of tasks to a model's router before and after its task MLP (figures 5 and 9), by
// category of LongBench-E.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "engine/api/make_generator.h"
#include "harness/commands/command.h"
#include "harness/evaluate/router_similarity.h"
#include "harness/reproduce/experiments.h"
#include "harness/reproduce/paper_models.h"
#include "harness/reproduce/tasks_with_data.h"
#include "reports/paper_columns.h"
#include "reports/published.h"

namespace elastic::harness {
namespace {

using reports::ReproducedNumber;

struct Category {
  const char *paper, *ours;
};
constexpr Category kCategories[] = {{"S-Doc QA", "Single-Doc QA"},
                                    {"M-Hop QA", "Multi-Doc QA"},
                                    {"QA", "Single-Doc QA"},
                                    {"Summ", "Summarization"},
                                    {"Code", "Code"},
                                    {"In-Context", "Few-shot Learning"}};

// Where the category stands among ours; nothing where no task of it was there.
std::optional<std::size_t> place_of(const std::string& paper,
                                    const std::vector<std::string>& ours) {
  for (const Category& category : kCategories) {
    if (paper != category.paper) continue;
    const auto found = std::find(ours.begin(), ours.end(), category.ours);
    if (found != ours.end()) return static_cast<std::size_t>(found - ours.begin());
  }
  return std::nullopt;
}

// "QA-Summ" and "S-Doc QA / Code", whose names hold dashes themselves.
std::pair<std::string, std::string> pair_of(const std::string& column) {
  for (const std::string_view between : {" / ", "-"}) {
    const std::size_t at = column.find(between);
    if (at != std::string::npos) return {column.substr(0, at), column.substr(at + between.size())};
  }
  return {column, column};
}

}  // namespace

Reproduced reproduce_similarity(const Experiment& experiment, const ReproduceOptions& options) {
  RunOptions run = options.run;
  if (run.modes.empty()) run.modes = "fa-ssa";
  if (run.tasks.empty()) {
    run.tasks = join(
        tasks_with_data(reports::tasks_of(reports::paper_columns("table1")), run.data_dir), ",");
  }
  const RunSetup setup = set_up(run);
  const InterruptGuard guard(kStopNotice);
  const std::vector<TaskPrompts> prompts = task_prompts(setup, Grouping::kCategory);
  const auto engine = engine::make_generator(
      {.model = setup.model, .router = run.router, .device = run.device, .dtype = run.dtype});
  engine->set_mode(run.modes);
  const auto found = router_similarity(*engine, prompts, {0});
  if (found.empty()) return {.exit_code = kExitSignalBase + interrupted().value()};
  const reports::TaskSimilarity& similarity = found.front();

  reports::Reproduction made{
      .experiment = experiment.name,
      .title = experiment.title,
      .model = engine->model().name,
      .paper_model = kQwen4B,
      .how = fmt::format("Layer 0 of {} over {} tasks.", run.modes, setup.plan.tasks.size())};
  const bool same_model = paper_model_of_shape(setup.config) == made.paper_model;
  for (const auto& printed : reports::published_numbers(experiment.name)) {
    ReproducedNumber number = reports::number_beside(printed);
    if (!same_model) number.obstacles.emplace_back("another model than the paper's");
    const auto [a, b] = pair_of(printed.column);
    const auto first = place_of(a, similarity.tasks), second = place_of(b, similarity.tasks);
    if (!first || !second) {
      number.obstacles = {fmt::format("no samples of {}", first ? b : a)};
    } else {
      const auto& matrix = printed.row == "before" ? similarity.before : similarity.after;
      if (const std::optional<double> value = matrix[*first][*second]) {
        number.measured = runs::Estimate{
            *value, std::nullopt, similarity.samples[*first] + similarity.samples[*second], ""};
      }
    }
    made.numbers.push_back(std::move(number));
  }
  return {.reproduction = std::move(made)};
}

}  // namespace elastic::harness
