// `run`: tasks through an engine into a run folder, resumed where it has samples already.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"
#include "base/threads.h"
#include "engine/api/make_generator.h"
#include "engine/api/tokenizer.h"
#include "harness/commands/build_info.h"
#include "harness/commands/command.h"
#include "harness/commands/config_file.h"
#include "harness/commands/run_benchmark.h"
#include "harness/commands/run_setup.h"
#include "harness/run/prepare.h"
#include "harness/run/runner.h"
#include "reports/input.h"
#include "reports/render/write.h"
#include "tasks/registry.h"

namespace elastic::harness {
namespace {

constexpr std::string_view kInterruptNotice =
    "\nstopping after the samples in flight; once more to stop now\n";

std::string command_line() {
  std::string text = read_file("/proc/self/cmdline");
  while (!text.empty() && text.back() == '\0') text.pop_back();
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

std::map<std::string, std::string> environment_of(const engine::Generator& generator,
                                                  const RunOptions& options) {
  std::map<std::string, std::string> environment{
      {"model", generator.model().name},
      {"device", generator.device()},
      {"batch_size", std::to_string(options.batch_size)},
      {"command_line", command_line()},
  };
  environment.merge(program_facts());
  environment.merge(machine_facts());
  for (const std::string& line : engine::describe_engine()) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    environment[replace_all(line.substr(0, colon), " ", "_")] = line.substr(colon + 2);
  }
  return environment;
}

std::vector<PreparedCell> prepare_data(const RunSetup& setup, const engine::Tokenizer& tokenizer,
                                       const engine::ChatTemplate* chat) {
  const Stopwatch watch;
  std::vector<PreparedCell> cells =
      prepare(setup.plan, setup.options, &tokenizer, hardware_threads(), chat);
  std::int64_t samples = 0;
  for (const PreparedCell& cell : cells) samples += static_cast<std::int64_t>(cell.samples.size());
  log_info(fmt::format("data: {} samples of {} cells ready after {}", samples, cells.size(),
                       format_seconds(watch.seconds())));
  return cells;
}

void report_samples(const RunOutcome& outcome) {
  if (outcome.truncated > 0) {
    log_info(fmt::format("{} of {} samples truncated, {} tokens lost", outcome.truncated,
                         outcome.ran, outcome.truncated_tokens));
  }
  if (outcome.short_samples > 0) {
    log_warning(fmt::format("{} of {} samples are below 95 % of their stated length",
                            outcome.short_samples, outcome.ran));
  }
}

// "2 nonfinite, 1 oom"
std::string failures_text(const RunOutcome& outcome) {
  std::vector<std::string> parts;
  for (const auto& [kind, count] : outcome.failures) {
    parts.push_back(fmt::format("{} {}", count, runs::to_string(kind)));
  }
  return join(parts, ", ");
}

// The table of everything in the folder, and what to do next.
void print_end(const std::string& folder) {
  const reports::ReportInput input =
      reports::make_input({runs::read_run(folder)}, tasks::suite_titles());
  std::fputs(reports::summary_text(input).c_str(), stdout);
  log_info(fmt::format("samples: {}", folder));
  log_info(fmt::format("report:  elastic-bench report {} --output {}/report", folder, folder));
}

int finish(const RunOutcome& outcome, const std::string& folder, bool print) {
  report_samples(outcome);
  if (outcome.signal) {
    log_info(fmt::format("stopped; {} of {} samples are in {}: the same command goes on from there",
                         outcome.found + outcome.ran - outcome.failed, outcome.planned, folder));
    return kExitSignalBase + *outcome.signal;
  }
  if (outcome.ran == 0) {
    log_info(
        fmt::format("nothing to do: all {} samples are in {} already", outcome.planned, folder));
  }
  if (print) print_end(folder);
  if (outcome.failed == 0) return kExitComplete;
  log_warning(fmt::format("{} of {} samples failed ({}); the same command tries them again",
                          outcome.failed, outcome.planned, failures_text(outcome)));
  if (outcome.failures.contains(runs::Outcome::kNonFinite)) {
    log_warning(
        "nonfinite: the model's logits were NaN or infinite, so these samples have no answer");
  }
  return kExitSomeFailed;
}

int run_cells(const RunSetup& setup, const Ranks& ranks, RunTable table) {
  const RunOptions& options = setup.options;
  const std::string& folder = options.output;
  const auto tokenizer =
      std::make_shared<const engine::Tokenizer>(engine::Tokenizer::load(setup.model));
  const auto chat = engine::ChatTemplate::load(setup.model);
  const std::vector<PreparedCell> cells = prepare_data(setup, *tokenizer, chat ? &*chat : nullptr);
  const auto generator = engine::make_generator({.model = setup.model,
                                                 .device = options.device,
                                                 .dtype = options.dtype,
                                                 .tokenizer = tokenizer});
  const RunJob job{.options = options,
                   .cells = cells,
                   .modes = resolve_modes(setup.plan.modes, *generator),
                   .generator = *generator,
                   .tokenizer = tokenizer.get(),
                   .chat = chat ? &*chat : nullptr,
                   .rank = ranks.rank,
                   .world_size = ranks.world_size};
  runs::RunSpec spec = run_spec(job);
  spec.environment = environment_of(*generator, options);
  log_info(fmt::format(
      "device: {}{}, {}", generator->device(),
      generator->device() == "cpu" ? "" : fmt::format(" ({})", spec.environment["accelerator"]),
      generator->dtype()));
  runs::RunStore store({.folder = folder,
                        .rank = ranks.rank,
                        .world_size = ranks.world_size,
                        .resume = options.resume},
                       spec);
  for (const std::string& note : store.found().notes) log_warning(note);
  return finish(run_samples(job, store), folder, ranks.rank == 0 && table == RunTable::kPrint);
}

}  // namespace

int run_benchmark(const RunOptions& options, RunTable table) {
  const Ranks ranks = ranks_from_environment();
  set_log_rank(ranks.rank);
  const RunSetup setup = set_up(options);
  if (options.dry_run) {
    if (ranks.rank == 0) print_plan(setup);
    return kExitComplete;
  }
  if (options.output.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "--output is missing; give a folder for the run");
  }
  const InterruptGuard guard(kInterruptNotice);
  try {
    return run_cells(setup, ranks, table);
  } catch (const Interrupted& stop) {
    log_info("stopped while the run was prepared: no sample has run; the same command starts anew");
    return kExitSignalBase + stop.signal;
  }
}

void add_run(CLI::App& sub, int& exit_code) {
  const auto options = std::make_shared<RunOptions>();
  const auto config = std::make_shared<std::string>();
  add_run_flags(sub, *options, *config);
  sub.callback([&sub, &exit_code, options, config] {
    apply_config_file(sub, *config);
    exit_code = run_benchmark(*options, RunTable::kPrint);
  });
}

}  // namespace elastic::harness
