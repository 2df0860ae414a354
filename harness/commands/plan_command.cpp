// `plan`: what `run` with the same flags would do; nothing is loaded or generated.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "base/threads.h"
#include "engine/api/hub_cache.h"
#include "engine/api/mode_list.h"
#include "engine/config/weight_specs.h"
#include "harness/commands/command.h"
#include "harness/commands/config_file.h"
#include "harness/commands/run_setup.h"
#include "harness/run/cost.h"

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

std::string cell_label(const PlannedCell& cell) {
  const std::string& name = cell.task->task->info().name;
  return cell.length == 0 ? name : fmt::format("{} {}", name, format_length(cell.length));
}

}  // namespace

void print_plan(const RunSetup& setup) {
  const CostMachine machine = machine_of(setup);
  const auto modes = static_cast<std::int64_t>(setup.plan.modes.size());
  fmt::print("model {}: {:.1f} M parameters, window {}; device {}, {}; modes {}\n",
             engine::model_name(setup.model),
             static_cast<double>(engine::parameter_count(setup.config)) / 1e6,
             format_length(setup.config.max_positions), machine.device, machine.dtype,
             join(setup.plan.modes, ", "));
  fmt::print("{:<32} {:<16} {:>8} {:>10} {:>12} {:>12} {:>12}\n", "cell", "profile", "samples",
             "tokens", "K/V", "peak memory", "time");
  std::int64_t samples = 0, tokens = 0, peak = 0;
  double seconds = 0;
  bool open = false;
  std::string absent;
  const bool sparse =
      std::any_of(setup.plan.modes.begin(), setup.plan.modes.end(),
                  [](const std::string& mode) { return mode != engine::kDenseMode; });
  for (const PlannedCell& cell : setup.plan.cells) {
    const std::optional<std::int64_t> in_cell = sample_count(setup, cell, absent);
    const std::int64_t n = modes * in_cell.value_or(0);
    const std::int64_t prompt = prompt_tokens(setup, cell);
    const std::int64_t batch = std::max<std::int64_t>(
        1, std::min(setup.options.batch_size, in_cell.value_or(setup.options.batch_size)));
    const std::int64_t budget =
        setup.options.max_new_tokens.value_or(cell.task->task->info().max_new_tokens);
    const Cost cost = predict_cost(setup.config, machine, {prompt, budget, batch, sparse});
    const std::string all = cell.share < 1 ? fmt::format("{} of all", cell.share) : "all";
    const double time = cost.seconds * static_cast<double>(n) / static_cast<double>(batch);
    fmt::print("{:<32} {:<16} {:>8} {:>10} {:>12} {:>12} {:>12}\n", cell_label(cell),
               cell.task->profile, in_cell ? std::to_string(n) : all, n * prompt,
               format_bytes(cost.memory.kv), format_bytes(cost.memory.peak()),
               in_cell ? format_seconds(time) : "?");
    open = open || !in_cell;
    samples += n;
    tokens += n * prompt;
    seconds += time;
    peak = std::max(peak, cost.memory.peak());
  }
  fmt::print("total: {} samples{}, {} prompt tokens, peak memory {} (weights {}), about {}\n",
             samples, open ? " and those of sets that are not there" : "", tokens,
             format_bytes(peak),
             format_bytes(predict_cost(setup.config, machine, {}).memory.weights),
             format_seconds(seconds));
  if (!absent.empty()) log_warning(absent);
  fmt::print(
      "time assumes full attention at a typical rate of this device, good to a factor of a "
      "few; memory is prefill's peak with every key and value kept\n");
}

void add_plan(CLI::App& sub, int& exit_code) {
  const auto options = std::make_shared<RunOptions>();
  const auto config = std::make_shared<std::string>();
  add_run_flags(sub, *options, *config);
  sub.callback([&sub, &exit_code, options, config] {
    apply_config_file(sub, *config);
    print_plan(set_up(*options));
    exit_code = kExitComplete;
  });
}

}  // namespace elastic::harness
