// `plan`: what `run` with the same flags would do; nothing is loaded or generated.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/log.h"
#include "base/text.h"
#include "engine/api/hub_cache.h"
#include "engine/config/weight_specs.h"
#include "harness/commands/command.h"
#include "harness/commands/config_file.h"
#include "harness/commands/run_flags.h"
#include "harness/evaluate/forecast.h"

namespace elastic::harness {
namespace {

void print_cell(const CellForecast& forecast) {
  const PlannedCell& cell = *forecast.cell;
  const std::string& name = cell.task->task->info().name;
  const std::string all = cell.share < 1 ? fmt::format("{} of all", cell.share) : "all";
  fmt::print("{:<32} {:<16} {:>8} {:>10} {:>12} {:>12} {:>12}\n",
             cell.length == 0 ? name : fmt::format("{} {}", name, format_length(cell.length)),
             cell.task->profile, forecast.samples ? std::to_string(*forecast.samples) : all,
             forecast.prompt_tokens, format_bytes(forecast.memory.kv),
             format_bytes(forecast.memory.peak()),
             forecast.samples ? format_seconds(forecast.seconds) : "?");
}

void print_total(const Forecast& forecast) {
  std::int64_t samples = 0, tokens = 0, peak = 0;
  double seconds = 0;
  bool open = false;
  for (const CellForecast& cell : forecast.cells) {
    open = open || !cell.samples;
    samples += cell.samples.value_or(0);
    tokens += cell.prompt_tokens;
    seconds += cell.seconds;
    peak = std::max(peak, cell.memory.peak());
  }
  fmt::print("total: {} samples{}, {} prompt tokens, peak memory {} (weights {}), about {}\n",
             samples, open ? " and those of sets that are not there" : "", tokens,
             format_bytes(peak), format_bytes(forecast.weight_bytes), format_seconds(seconds));
}

}  // namespace

void print_plan(const RunSetup& setup) {
  const Forecast forecast = make_forecast(setup);
  fmt::print("model {}: {:.1f} M parameters, window {}; device {}, {}; modes {}\n",
             engine::model_name(setup.model, setup.options.router),
             static_cast<double>(engine::parameter_count(setup.config)) / 1e6,
             format_length(setup.config.max_positions), forecast.machine.device,
             forecast.machine.dtype, join(setup.plan.modes, ", "));
  fmt::print("{:<32} {:<16} {:>8} {:>10} {:>12} {:>12} {:>12}\n", "cell", "profile", "samples",
             "tokens", "K/V", "peak memory", "time");
  for (const CellForecast& cell : forecast.cells) print_cell(cell);
  print_total(forecast);
  if (!forecast.absent.empty()) log_warning(forecast.absent);
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
