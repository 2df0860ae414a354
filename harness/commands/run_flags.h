#pragma once

// The flags that `run`, `plan`, `preview`, `similarity` and `ablate` share.
//
//   auto options = std::make_shared<RunOptions>();
//   add_run_flags(sub, *options, *config);
//   sub.callback([options] { evaluate(set_up(*options), ranks_from_environment()); });

#include <CLI/CLI.hpp>
#include <string>

#include "harness/evaluate/run_setup.h"
#include "harness/run/run_options.h"

namespace elastic::harness {

/// The flags of `run` and `plan`, `--config` included (its path goes to `config`).
void add_run_flags(CLI::App& sub, RunOptions& options, std::string& config);

/// Those that say which samples, which model and where it runs: `similarity` has them too.
void add_sample_flags(CLI::App& sub, RunOptions& options);

/// Parts of them that `preview` has too: how a prompt is made, where data and caches lie.
void add_prompt_flags(CLI::App& sub, RunOptions& options);
void add_data_flags(CLI::App& sub, RunOptions& options);

/// What `run` does with them: samples into options.output, a table of all that is there to standard
/// output, or with --dry-run the plan. Returns the exit code; run_command.cpp.
int run(const RunOptions& options);

/// `--dry-run` and `plan`: samples, memory and time per cell on standard output.
void print_plan(const RunSetup& setup);

}  // namespace elastic::harness
