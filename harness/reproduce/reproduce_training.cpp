// What takes trainings of routers: settings of the router varied (table 3, figures 7 and 14), and
// the curves of one training (figure 13). Each goes on where an earlier command stopped.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "harness/commands/ablate_command.h"
#include "harness/commands/command.h"
#include "harness/reproduce/experiments.h"
#include "harness/reproduce/paper_models.h"
#include "harness/train/train_config.h"
#include "reports/paper_columns.h"
#include "reports/paper_rows.h"
#include "reports/published.h"
#include "reports/reproduced_run.h"
#include "reports/training_curves.h"
#include "runs/run_store.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;
using reports::PaperTable;
using reports::ReproducedNumber;

constexpr const char* kDenseRow = "FA";

AblationFile training_file(const ReproduceOptions& options) {
  if (!options.training.empty()) return read_ablation_file(options.training);
  throw Error(ErrorKind::kInvalidArgument,
              "--training is missing: routers are trained for it; give a file as `ablate --config` "
              "takes it, models/demo/training/ablation.json (docs/ablations.md)");
}

struct AblatedExperiment {
  std::string_view experiment, axis;
};
constexpr AblatedExperiment kAblated[] = {
    {"table3", "hidden-size"}, {"fig7", "target-sparsity"}, {"fig14", "pool-budget"}};

const AblationAxis& axis_of(std::string_view experiment) {
  for (const AblatedExperiment& ablated : kAblated) {
    if (ablated.experiment != experiment) continue;
    for (const AblationAxis& axis : ablation_axes()) {
      if (axis.name == ablated.axis) return axis;
    }
  }
  throw std::logic_error("an axis for every ablated experiment");
}

// Numbers of one row from the run of its own.
void add_row(PaperTable table, reports::PaperRow row, const fs::path& folder,
             std::vector<ReproducedNumber>& numbers) {
  table.rows = {std::move(row)};
  std::error_code ignored;
  runs::RunData run;
  if (fs::exists(folder / "run.json", ignored)) {
    run = runs::read_run(folder);
  } else {
    table.rows.front().mode.clear();
    table.rows.front().missing = "not trained yet; the same command goes on";
  }
  for (ReproducedNumber& number : reports::reproduced_run(table, run)) {
    numbers.push_back(std::move(number));
  }
}

// Mean of a column over the steps next to one; a curve is noisy, the paper's are smoothed.
std::optional<runs::Estimate> value_at(const reports::TrainingCurves& curves,
                                       const std::string& column, double step) {
  constexpr double kNear = 5;
  const auto found = curves.values.find(column);
  if (found == curves.values.end()) return std::nullopt;
  const auto& steps = curves.values.at("step");
  std::vector<double> near;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::optional<double>& value = found->second[i];
    if (steps[i] && value && std::abs(*steps[i] - step) <= kNear) near.push_back(*value);
  }
  if (near.empty()) return std::nullopt;
  return runs::Estimate{*runs::mean(near), std::nullopt, static_cast<std::int64_t>(near.size()),
                        "mean of the steps next to it"};
}

// "msr.Code" of the paper's "MSR Code".
std::string column_of(const std::string& row) {
  for (const auto& [paper, ours] : {std::pair("lm loss", "lm"), {"reg loss", "reg"}}) {
    if (row == paper) return ours;
  }
  const std::size_t blank = row.find(' ');
  return (row.starts_with("MSR") ? "msr." : "lambda1.") + row.substr(blank + 1);
}

}  // namespace

Reproduced reproduce_ablation(const Experiment& experiment, const ReproduceOptions& options) {
  const AblationAxis& axis = axis_of(experiment.name);
  const AblationFile file = training_file(options);
  AblationOptions ablation{.training = file.training,
                           .training_source = file.training_source,
                           .evaluation = evaluation_options(file),
                           .settings = reports::paper_rows(experiment.name, kQwen4B),
                           .output = fs::path(options.run.output) / "ablation",
                           .resume = true,
                           .max_minutes = options.max_minutes};
  std::erase(ablation.settings, kDenseRow);
  ablation.evaluation.device = options.run.device;
  if (!options.run.data_dir.empty()) ablation.evaluation.data_dir = options.run.data_dir;
  const AblationResult result = run_ablation(axis, ablation);
  if (result.signal) return {.exit_code = kExitSignalBase + *result.signal};

  reports::Reproduction made{.experiment = experiment.name,
                             .title = experiment.title,
                             .model = file.training_source,
                             .paper_model = kQwen4B};
  const PaperTable table{.experiment = experiment.name,
                         .paper_model = kQwen4B,
                         .rows = {},
                         .columns = reports::paper_columns(experiment.name),
                         .obstacles = {"another training than the paper's"}};
  const fs::path runs = ablation.output / "runs";
  for (const std::string& row : reports::paper_rows(experiment.name, kQwen4B)) {
    if (row == kDenseRow) {
      add_row(table, {row, "fa", ""}, runs / "baseline", made.numbers);
    } else {
      add_row(table, {row, "fa-ssa", ""}, runs / fmt::format("{}-{}", axis.name, row),
              made.numbers);
    }
  }
  made.how = fmt::format("Routers of {} trained with each setting of `ablate {}`, run as fa-ssa.",
                         file.training_source, axis.name);
  return {.reproduction = std::move(made),
          .exit_code = result.some_failed ? kExitSomeFailed : kExitComplete};
}

Reproduced reproduce_curves(const Experiment& experiment, const ReproduceOptions& options) {
  const AblationFile file = training_file(options);
  TrainConfig config = parse_train_config(file.training, file.training_source);
  require_base(config.options, file.training_source);
  config.options.output = fs::path(options.run.output) / "training";
  config.options.device = options.run.device;
  config.options.resume = true;
  config.options.max_minutes = options.max_minutes;
  const InterruptGuard guard("\nstopping with a checkpoint; the same command goes on\n");
  const engine::TrainResult result = run_training(config, engine::train_router);
  if (result.end == engine::TrainEnd::kInterrupted) {
    return {.exit_code = kExitSignalBase + result.signal};
  }
  const reports::TrainingCurves curves = reports::read_training_curves(config.options.output);
  reports::Reproduction made{
      .experiment = experiment.name,
      .title = experiment.title,
      .model = file.training_source,
      .paper_model = kQwen4B,
      .how = fmt::format("Curves of one training, {} of {} steps done; each number the mean of the "
                         "steps next to it.",
                         result.steps, config.options.steps)};
  for (const auto& printed : reports::published_numbers(experiment.name)) {
    ReproducedNumber number = reports::number_beside(printed);
    number.measured = value_at(curves, column_of(printed.row), *parse_double(printed.column));
    number.obstacles = {number.measured ? "another training than the paper's"
                                        : "no such task or step in this training"};
    made.numbers.push_back(std::move(number));
  }
  return {.reproduction = std::move(made)};
}

}  // namespace elastic::harness
