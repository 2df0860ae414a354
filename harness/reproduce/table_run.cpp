#include "harness/reproduce/table_run.h"

#include "base/log.h"
#include "harness/commands/command.h"
#include "harness/commands/run_flags.h"
#include "harness/evaluate/evaluate.h"
#include "runs/run_store.h"

namespace elastic::harness {

Reproduced reproduce_by_run(const RunOptions& run, const CompareRun& compare) {
  const Ranks ranks = ranks_from_environment();
  set_log_rank(ranks.rank);
  const RunSetup setup = set_up(run);
  if (run.dry_run) {
    if (ranks.rank == 0) print_plan(setup);
    return {};
  }
  const RunOutcome outcome = evaluate(setup, ranks);
  if (outcome.signal) return {.exit_code = kExitSignalBase + *outcome.signal};
  log_failures(outcome);
  Reproduced result{.exit_code = outcome.failed == 0 ? kExitComplete : kExitSomeFailed};
  if (ranks.rank != 0) return result;
  result.run = runs::read_run(run.output);
  result.reproduction = compare(setup, *result.run);
  return result;
}

}  // namespace elastic::harness
