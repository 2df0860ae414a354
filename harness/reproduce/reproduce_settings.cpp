// Tables of settings beside what this program does unless told otherwise: defaults of its modes and
// of its router training (table 6), what its runs of RULER are (table 9).

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "base/text.h"
#include "engine/api/make_generator.h"
#include "engine/api/train_router.h"
#include "harness/reproduce/experiments.h"
#include "harness/run/model_path.h"
#include "reports/paper_columns.h"
#include "reports/published.h"
#include "tasks/registry.h"

namespace elastic::harness {
namespace {

using reports::ReproducedNumber;

constexpr const char* kElastic = "Elastic Attention";

// An option of a mode, as the mode's description spells it out.
struct ModeSetting {
  const char *row, *column, *mode, *option;
};
constexpr ModeSetting kModeSettings[] = {
    {kElastic, "sink_size", "fa-ssa", "sink"},
    {kElastic, "local_size", "fa-ssa", "local"},
    {kElastic, "block_size", "fa-ssa", "block"},
    {kElastic, "xa_stride", "fa-xa", "stride"},
    {kElastic, "xa_threshold", "fa-xa", "tau"},
    {"MoBA", "block_size", "moba", "chunk"},
    {"MoBA", "topk", "moba", "topk"},
    {"NSA", "block_size", "nsa", "block"},
    {"NSA", "topk", "nsa", "topk"},
    {"NSA", "window_size", "nsa", "window"},
    {"NSA", "kernel_size", "nsa", "kernel"},
    {"NSA", "kernel_stride", "nsa", "stride"},
    {"InfLLM-V2", "block_size", "infllm2", "block"},
    {"InfLLM-V2", "topk", "infllm2", "topk"},
    {"InfLLM-V2", "window_size", "infllm2", "local"},
    {"InfLLM-V2", "kernel_size", "infllm2", "kernel"},
    {"InfLLM-V2", "kernel_stride", "infllm2", "stride"},
    {"InfLLM-V2", "dense_len", "infllm2", "dense_len"},
};

// "2048" of "local" in "fa-ssa:sink=128,local=2048,...".
std::optional<double> option_of(const std::string& description, std::string_view option) {
  const std::size_t colon = description.find(':');
  if (colon == std::string::npos) return std::nullopt;
  for (const std::string& part : split_list(description.substr(colon + 1))) {
    const std::size_t equals = part.find('=');
    if (part.substr(0, equals) == option) return parse_double(part.substr(equals + 1));
  }
  return std::nullopt;
}

std::map<std::string, double> training_defaults() {
  const engine::TrainOptions options;
  return {{"training_steps", static_cast<double>(options.steps)},
          {"router_lr", options.optimizer.lr},
          {"lambda_lr", options.regularizer.lr},
          {"warmup_ratio", options.optimizer.warmup},
          {"beta1", options.optimizer.beta1},
          {"beta2", options.optimizer.beta2},
          {"weight_decay", options.optimizer.weight_decay}};
}

std::optional<runs::Estimate> exact(std::optional<double> value) {
  if (!value) return std::nullopt;
  return runs::Estimate{*value, std::nullopt, 1, "a setting"};
}

// What `value` knows of each printed setting; the others are said to have no counterpart.
template <typename ValueOf>
void add_settings(std::string_view experiment, ValueOf value, reports::Reproduction& made) {
  for (const auto& printed : reports::published_numbers(experiment)) {
    ReproducedNumber number = reports::number_beside(printed);
    number.measured = exact(value(printed.row, printed.column));
    if (!number.measured) {
      number.obstacles = {
          "no setting of this program: of a training's own file, or of code that it "
          "has no part of"};
    }
    if (printed.row == "InfLLM-V2" && printed.column == "topk") {
      number.obstacles = {"counted with the 32 blocks of the window here"};
    }
    made.numbers.push_back(std::move(number));
  }
}

}  // namespace

Reproduced reproduce_method_settings(const Experiment& experiment,
                                     const ReproduceOptions& options) {
  engine::GeneratorOptions wanted{.router = options.run.router, .device = options.run.device};
  if (options.run.model.empty()) {
    wanted.random_shape = "tiny-4x8x64";
    wanted.device = "cpu";
  } else {
    wanted.model = model_path(options.run.model, options.run.data_dir);
  }
  const auto engine = engine::make_generator(wanted);
  const std::map<std::string, double> training = training_defaults();
  reports::Reproduction made{.experiment = experiment.name,
                             .title = experiment.title,
                             .model = engine->model().name,
                             .how = "Defaults of the modes on this model, and of `train router`."};
  add_settings(
      experiment.name,
      [&](const std::string& row, const std::string& column) -> std::optional<double> {
        const auto trained = training.find(column);
        if (row == kElastic && trained != training.end()) return trained->second;
        const auto* setting =
            std::find_if(std::begin(kModeSettings), std::end(kModeSettings),
                         [&](const auto& s) { return row == s.row && column == s.column; });
        if (setting == std::end(kModeSettings)) return std::nullopt;
        engine->set_mode(setting->mode);
        return option_of(engine->mode(), setting->option);
      },
      made);
  return {.reproduction = std::move(made)};
}

Reproduced reproduce_ruler_settings(const Experiment& experiment, const ReproduceOptions&) {
  const reports::PaperColumn ruler = reports::ruler_column(0);
  std::vector<std::int64_t> lengths;
  for (const reports::PaperColumn& column : reports::paper_columns("table2")) {
    if (column.length > 0) lengths.push_back(column.length);
  }
  const std::map<std::string, std::int64_t> values = {
      {"samples", tasks::make_task(ruler.tasks.front())->info().default_limit},
      {"tasks", std::ssize(ruler.tasks)},
      {"lengths", std::ssize(lengths)},
      {"shortest", lengths.front()},
      {"longest", lengths.back()}};
  reports::Reproduction made{.experiment = experiment.name,
                             .title = experiment.title,
                             .how = "What `reproduce table2` runs unless told otherwise."};
  add_settings(
      experiment.name,
      [&](const std::string&, const std::string& column) {
        const auto found = values.find(column);
        return found == values.end() ? std::nullopt
                                     : std::optional(static_cast<double>(found->second));
      },
      made);
  return {.reproduction = std::move(made)};
}

}  // namespace elastic::harness
