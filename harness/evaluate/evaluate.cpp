#include "harness/evaluate/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/api/gpu_watch.h"
#include "engine/api/make_generator.h"
#include "harness/evaluate/timing_facts.h"
#include "harness/run/build_info.h"

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
      {"batch_size", std::to_string(most_in_flight(options, generator.device()))},
      {"command_line", command_line()},
  };
  if (!options.router.empty()) environment["router"] = options.router;
  environment.merge(program_facts());
  environment.merge(machine_facts());
  environment.merge(timing_facts(generator, options));
  for (const std::string& line : engine::describe_engine()) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    environment[replace_all(line.substr(0, colon), " ", "_")] = line.substr(colon + 2);
  }
  return environment;
}

std::vector<PreparedCell> prepare_data(const RunSetup& setup, const PromptParts& parts) {
  const Stopwatch watch;
  std::vector<PreparedCell> cells = prepare_cells(setup, parts);
  std::int64_t samples = 0;
  for (const PreparedCell& cell : cells) samples += static_cast<std::int64_t>(cell.samples.size());
  log_info(fmt::format("data: {} samples of {} cells ready after {}", samples, cells.size(),
                       format_seconds(watch.seconds())));
  return cells;
}

// "ruler/qa_2 2048, ...": planned, but too short for their tasks.
std::string cells_left_out(const Plan& plan, const std::vector<PreparedCell>& cells) {
  std::vector<std::string> names;
  for (const PlannedCell& planned : plan.cells) {
    const bool there = std::any_of(cells.begin(), cells.end(), [&](const PreparedCell& cell) {
      return cell.task == planned.task && cell.length == planned.length;
    });
    if (there) continue;
    names.push_back(fmt::format("{} {}", planned.task->task->info().name, planned.length));
  }
  return join(names, ", ");
}

void log_outcome(const RunOutcome& outcome, const std::string& folder) {
  if (outcome.truncated > 0) {
    log_info(fmt::format("{} of {} samples truncated, {} tokens lost", outcome.truncated,
                         outcome.ran, outcome.truncated_tokens));
  }
  if (outcome.short_samples > 0) {
    log_warning(fmt::format("{} of {} samples are below 95 % of their stated length",
                            outcome.short_samples, outcome.ran));
  }
  if (outcome.signal) {
    log_info(fmt::format("stopped; {} of {} samples are in {}: the same command goes on from there",
                         outcome.found + outcome.ran - outcome.failed, outcome.planned, folder));
  } else if (outcome.ran == 0) {
    log_info(
        fmt::format("nothing to do: all {} samples are in {} already", outcome.planned, folder));
  }
}

RunOutcome run_cells(const RunSetup& setup, const Ranks& ranks) {
  const RunOptions& options = setup.options;
  const PromptParts parts = load_prompt_parts(setup.model);
  const std::vector<PreparedCell> cells = prepare_data(setup, parts);
  const auto generator = engine::make_generator({.model = setup.model,
                                                 .router = options.router,
                                                 .device = options.device,
                                                 .dtype = options.dtype,
                                                 .tokenizer = parts.tokenizer});
  const RunJob job{.options = options,
                   .cells = cells,
                   .modes = resolve_modes(setup.plan.modes, *generator),
                   .generator = *generator,
                   .tokenizer = parts.tokenizer.get(),
                   .chat = parts.chat.get(),
                   .rank = ranks.rank,
                   .world_size = ranks.world_size};
  runs::RunSpec spec = run_spec(job);
  spec.environment = environment_of(*generator, options);
  if (const std::string names = cells_left_out(setup.plan, cells); !names.empty()) {
    spec.environment["too_short_and_left_out"] = names;
  }
  log_info(fmt::format(
      "device: {}{}, {}", generator->device(),
      generator->device() == "cpu" ? "" : fmt::format(" ({})", spec.environment["accelerator"]),
      generator->dtype()));
  runs::RunStore store({.folder = options.output,
                        .rank = ranks.rank,
                        .world_size = ranks.world_size,
                        .resume = options.resume},
                       spec);
  for (const std::string& note : store.found().notes) log_warning(note);
  std::optional<engine::GpuWatch> watch;
  if (options.timing) watch.emplace(options.device);
  RunOutcome outcome = run_samples(job, store);
  const auto gpu = watch ? watch->stop() : std::nullopt;
  if (gpu && outcome.ran > 0) store.note(gpu_facts(*gpu));
  log_outcome(outcome, options.output);
  return outcome;
}

}  // namespace

RunOutcome evaluate(const RunSetup& setup, const Ranks& ranks) {
  if (setup.options.output.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "--output is missing; give a folder for the run");
  }
  const InterruptGuard guard(kInterruptNotice);
  try {
    return run_cells(setup, ranks);
  } catch (const Interrupted& stop) {
    log_info("stopped while the run was prepared: no sample has run; the same command starts anew");
    return {.signal = stop.signal};
  }
}

void log_failures(const RunOutcome& outcome) {
  if (outcome.failed == 0) return;
  std::vector<std::string> kinds;  // "2 nonfinite", "1 oom"
  for (const auto& [kind, count] : outcome.failures) {
    kinds.push_back(fmt::format("{} {}", count, runs::to_string(kind)));
  }
  log_warning(fmt::format("{} of {} samples failed ({}); the same command tries them again",
                          outcome.failed, outcome.planned, join(kinds, ", ")));
  if (outcome.failures.contains(runs::Outcome::kNonFinite)) {
    log_warning(
        "nonfinite: the model's logits were NaN or infinite, so these samples have no answer");
  }
}

}  // namespace elastic::harness
