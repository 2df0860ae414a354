// `run`: tasks through an engine into a run folder, resumed where it has samples already.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "base/log.h"
#include "harness/commands/command.h"
#include "harness/commands/config_file.h"
#include "harness/commands/run_flags.h"
#include "harness/evaluate/evaluate.h"
#include "reports/input.h"
#include "reports/render/write.h"
#include "runs/run_store.h"
#include "tasks/registry.h"

namespace elastic::harness {
namespace {

// The table of everything in the folder, and what to do next.
void print_end(const std::string& folder) {
  const reports::ReportInput input =
      reports::make_input({runs::read_run(folder)}, tasks::suite_titles());
  std::fputs(reports::summary_text(input).c_str(), stdout);
  log_info(fmt::format("samples: {}", folder));
  log_info(fmt::format("report:  elastic-bench report {} --output {}/report", folder, folder));
}

}  // namespace

int run(const RunOptions& options) {
  const Ranks ranks = ranks_from_environment();
  set_log_rank(ranks.rank);
  const RunSetup setup = set_up(options);
  if (options.dry_run) {
    if (ranks.rank == 0) print_plan(setup);
    return kExitComplete;
  }
  const RunOutcome outcome = evaluate(setup, ranks);
  if (outcome.signal) return kExitSignalBase + *outcome.signal;
  if (ranks.rank == 0) print_end(options.output);
  log_failures(outcome);
  return outcome.failed == 0 ? kExitComplete : kExitSomeFailed;
}

void add_run(CLI::App& sub, int& exit_code) {
  const auto options = std::make_shared<RunOptions>();
  const auto config = std::make_shared<std::string>();
  add_run_flags(sub, *options, *config);
  sub.callback([&sub, &exit_code, options, config] {
    apply_config_file(sub, *config);
    exit_code = run(*options);
  });
}

}  // namespace elastic::harness
