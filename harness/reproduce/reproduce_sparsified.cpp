// Score kept as heads turn sparse in ascending order of their retrieval score (table 5, figure 2):
// the scores of heads on needle prompts first, then a run with a mode a share of sparse heads.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "engine/api/hub_cache.h"
#include "engine/api/make_generator.h"
#include "engine/api/mode_list.h"
#include "engine/config/model_config.h"
#include "harness/commands/command.h"
#include "harness/commands/sparsify_command.h"
#include "harness/evaluate/retrieval_heads.h"
#include "harness/reproduce/experiments.h"
#include "harness/reproduce/paper_models.h"
#include "harness/reproduce/table_run.h"
#include "harness/reproduce/tasks_with_data.h"
#include "harness/run/model_path.h"
#include "reports/head_scores.h"
#include "reports/paper_columns.h"
#include "reports/paper_rows.h"
#include "reports/reproduced_run.h"
#include "tasks/registry.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTable = "table5";  // figure 2 shows four of its columns
constexpr const char* kNeedles = "ruler/niah_single_1";
constexpr std::int64_t kNeedlePrompts = 10, kNeedleTokens = 4096;

// Of --profile, what is about the needles.
std::string profiles_of_ruler(const std::string& profiles) {
  std::vector<std::string> kept = split_list(profiles);
  std::erase_if(kept, [](const std::string& name) { return !name.starts_with("ruler"); });
  return join(kept, ",");
}

// The order in which heads turn sparse, of OUTPUT/heads; made where it is not there yet. False
// where a signal came first.
bool order_heads(const RunOptions& run, const fs::path& folder) {
  const fs::path order = order_file(folder, kByScore);
  std::error_code ignored;
  if (fs::exists(order, ignored)) return true;
  RunOptions needles = run;
  needles.tasks = kNeedles;
  needles.modes = engine::kDenseMode;
  needles.limit = std::min(kNeedlePrompts, run.limit.value_or(kNeedlePrompts));
  needles.limit_share.reset();
  needles.max_new_tokens.reset();
  needles.max_length.reset();
  needles.profiles = profiles_of_ruler(run.profiles);
  const fs::path model = model_path(run.model, run.data_dir);
  needles.lengths =
      std::to_string(std::min(kNeedleTokens, engine::read_model_config(model).max_positions));
  const RunSetup setup = set_up(needles);
  const InterruptGuard guard(kStopNotice);
  const std::vector<NeedlePrompt> prompts = needle_prompts(setup);
  const auto engine = engine::make_generator(
      {.model = setup.model, .router = run.router, .device = run.device, .dtype = run.dtype});
  const std::optional<reports::HeadScores> scores = retrieval_heads(*engine, prompts);
  if (!scores) return false;
  const auto gates = reports::gates_of_order(reports::ascending_heads(reports::by_kv_head(*scores)),
                                             static_cast<std::size_t>(scores->heads_kv));
  create_folders(folder);
  write_file_atomic(order, reports::pattern_text(gates));
  return true;
}

// Mode of each row: "0" is dense attention.
std::map<std::string, std::string> modes_of(const fs::path& order) {
  std::map<std::string, std::string> modes;
  for (const std::string& msr : reports::paper_rows(kTable, kLlama)) {
    modes[msr] = msr == "0" ? std::string(engine::kDenseMode)
                            : fmt::format("fa-ssa:pattern={},threshold={}", order.string(), msr);
  }
  return modes;
}

// Columns of the tasks that are run, by the category that each has here.
std::vector<reports::PaperColumn> columns_of(const std::string& task_list) {
  static const std::map<std::string, std::string> kOurs = {{"Multi-Hop QA", "Multi-Doc QA"},
                                                           {"Few-Shot", "Few-shot Learning"}};
  std::vector<reports::PaperColumn> columns;
  for (const std::string& name : reports::paper_columns_of(kTable)) {
    columns.push_back({.name = name, .tasks = {}});
    const std::string category = kOurs.contains(name) ? kOurs.at(name) : name;
    for (const std::string& task : tasks::resolve_tasks(task_list)) {
      if (tasks::make_task(task)->info().category == category) columns.back().tasks.push_back(task);
    }
  }
  return columns;
}

}  // namespace

Reproduced reproduce_sparsified(const Experiment& experiment, const ReproduceOptions& options) {
  RunOptions run = options.run;
  const fs::path heads = fs::path(run.output) / "heads";
  if (!order_heads(run, heads)) return {.exit_code = kExitSignalBase + interrupted().value_or(0)};
  const auto modes = modes_of(order_file(heads, kByScore));
  std::vector<std::string> list;
  list.reserve(modes.size());
  for (const auto& [row, mode] : modes) list.push_back(mode);
  run.modes = join(list, ",");
  if (run.tasks.empty()) {
    run.tasks = join(tasks_with_data(tasks::resolve_tasks("longbench"), run.data_dir), ",");
  }
  return reproduce_by_run(run, [&](const RunSetup& setup, const runs::RunData& data) {
    reports::PaperTable table{kTable, kLlama, {}, columns_of(run.tasks), {}, "0"};
    for (const auto& [row, mode] : modes) table.rows.push_back({row, mode, ""});
    if (paper_model_of_shape(setup.config) != kLlama) {
      table.obstacles.emplace_back("another model than the paper's");
    }
    return reports::Reproduction{
        .experiment = experiment.name,
        .title = experiment.title,
        .model = engine::model_name(setup.model, run.router),
        .paper_model = kLlama,
        .how = fmt::format(
            "Heads ranked on needle prompts ({}) and turned to fa-ssa, over {} tasks, those of "
            "{}/run.json; intervals take dense attention's score as known.",
            kNeedles, setup.plan.tasks.size(), run.output),
        .numbers = reports::reproduced_run(table, data)};
  });
}

}  // namespace elastic::harness
