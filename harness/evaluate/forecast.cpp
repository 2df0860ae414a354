#include "harness/evaluate/forecast.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/threads.h"
#include "engine/config/weight_specs.h"

namespace elastic::harness {
namespace {

CostMachine machine_of(const RunSetup& setup) {
  CostMachine machine;
  std::error_code ignored;
  const bool gpu = std::filesystem::exists("/dev/nvidiactl", ignored);
  const bool cuda = setup.options.device == "cuda" || (setup.options.device == "auto" && gpu);
  machine.device = cuda ? "cuda" : "cpu";
  machine.threads = hardware_threads();
  machine.dtype = setup.options.dtype;
  if (machine.dtype == "auto") machine.dtype = engine::default_dtype(setup.config, !cuda);
  return machine;
}

// Tokens of a prompt: the stated length less the answer, which RULER counts into it.
std::int64_t prompt_tokens(const RunSetup& setup, const PlannedCell& cell) {
  const std::int64_t budget = cell.task->task->info().max_new_tokens;
  if (cell.length > 0) return std::max<std::int64_t>(1, cell.length - budget);
  return setup.options.max_length.value_or(setup.config.max_positions - budget);
}

// Samples of a cell; nothing where all there are is asked for and the data are not there: `absent`
// then says what is missing.
std::optional<std::int64_t> sample_count(const RunSetup& setup, const PlannedCell& cell,
                                         std::string& absent) {
  try {
    const auto found = cell.task->task->count(load_request(setup.options, cell, nullptr));
    if (found) return share_of(*found, cell.share);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    absent = error.what();
  }
  return cell.samples > 0 ? std::optional(cell.samples) : std::nullopt;
}

}  // namespace

Forecast make_forecast(const RunSetup& setup) {
  Forecast forecast{.machine = machine_of(setup)};
  forecast.weight_bytes = predict_cost(setup.config, forecast.machine, {}).memory.weights;
  const std::vector<std::string>& modes = setup.plan.modes;
  for (const PlannedCell& cell : setup.plan.cells) {
    const std::optional<std::int64_t> in_cell = sample_count(setup, cell, forecast.absent);
    const std::int64_t samples = static_cast<std::int64_t>(modes.size()) * in_cell.value_or(0);
    const std::int64_t prompt = prompt_tokens(setup, cell);
    const std::int64_t wanted = setup.options.batch_size.value_or(1);  // auto: as many as fit
    const std::int64_t batch =
        std::max<std::int64_t>(1, std::min(wanted, in_cell.value_or(wanted)));
    const std::int64_t budget =
        setup.options.max_new_tokens.value_or(cell.task->task->info().max_new_tokens);
    const Cost cost = predict_cost(setup.config, forecast.machine,
                                   {prompt, budget, batch, setup.needs.whole_prompts});
    forecast.cells.push_back(
        {.cell = &cell,
         .samples = in_cell ? std::optional(samples) : std::nullopt,
         .prompt_tokens = samples * prompt,
         .seconds = cost.seconds * static_cast<double>(samples) / static_cast<double>(batch),
         .memory = cost.memory});
  }
  return forecast;
}

}  // namespace elastic::harness
