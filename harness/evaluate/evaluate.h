#pragma once

// An evaluation: data, engine, samples into options.output, resumed where it has samples. What a
// reader needs to know on the way goes to the log.
//
//   const RunOutcome outcome = evaluate(set_up(options), ranks);
//   log_failures(outcome);

#include "harness/evaluate/run_setup.h"
#include "harness/run/processes.h"
#include "harness/run/runner.h"

namespace elastic::harness {

/// Runs this process's share of the plan's samples. A signal that comes before the first sample
/// leaves an outcome with `signal` and nothing planned. Throws kInvalidArgument where no output is
/// named, otherwise as prepare(), make_generator(), RunStore and run_samples().
RunOutcome evaluate(const RunSetup& setup, const Ranks& ranks);

/// How many samples failed and why; nothing where none did.
void log_failures(const RunOutcome& outcome);

}  // namespace elastic::harness
