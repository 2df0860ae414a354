#pragma once

// What `run` does with its flags, for commands that run several times: plan, data, engine, samples
// into options.output, resumed where it has samples.
//
//   const int exit_code = run_benchmark(options, RunTable::kNone);

#include "harness/run/run_options.h"

namespace elastic::harness {

enum class RunTable { kPrint, kNone };

/// The exit code of `run` (docs/run_format.md): 0 complete, 128 + signal where it was stopped.
int run_benchmark(const RunOptions& options, RunTable table);

}  // namespace elastic::harness
