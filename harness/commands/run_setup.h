#pragma once

// What `run`, `plan` and `preview` share: their flags, and the steps from flags to a plan.
//
//   auto options = std::make_shared<RunOptions>();
//   add_run_flags(sub, *options);
//   const RunSetup setup = set_up(*options);

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "engine/config/model_config.h"
#include "harness/run/plan.h"
#include "harness/run/run_options.h"

namespace elastic::harness {

/// The flags of `run` and `plan`, `--config` included (its path goes to `config`).
void add_run_flags(CLI::App& sub, RunOptions& options, std::string& config);

/// Those that say which samples, which model and where it runs: `similarity` has them too.
void add_sample_flags(CLI::App& sub, RunOptions& options);

/// Parts of them that `preview` has too: how a prompt is made, where data and caches lie.
void add_prompt_flags(CLI::App& sub, RunOptions& options);
void add_data_flags(CLI::App& sub, RunOptions& options);

struct RunSetup {
  RunOptions options;  // with folders resolved
  std::filesystem::path model;
  engine::ModelConfig config;
  Plan plan;
};

/// Throws as model_folder(), read_model_config(), make_plan() and check_modes().
RunSetup set_up(const RunOptions& options);

/// This process among those that share a run: RANK and WORLD_SIZE, else Slurm's variables.
struct Ranks {
  int rank = 0;
  int world_size = 1;
};
Ranks ranks_from_environment();

/// plotly.js in the data folder, where set-up or `data fetch` puts it; empty, and a line in the
/// log, where it is not there.
std::filesystem::path plotly_path(const std::string& data_dir);

/// `--dry-run` and `plan`: samples, memory and time per cell on standard output.
void print_plan(const RunSetup& setup);

}  // namespace elastic::harness
