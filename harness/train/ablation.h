#pragma once

// Routers trained with one setting varied, each run on the same prompts, in one report beside the
// paper's ablation (elastic_attention spec 5.6; docs/ablations.md).
//
//   const AblationFile file = read_ablation_file("models/demo/training/ablation.json");
//   const AblationResult result = run_ablation(ablation_axes().front(), options);
//
// Its folders are OUTPUT/training/<setting>, OUTPUT/runs/<setting> and OUTPUT/report.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "harness/run/run_options.h"
#include "reports/document.h"

namespace elastic::harness {

struct AblationAxis {
  const char* name;
  const char* summary;
  const char* values;  // of the paper, and beyond where its figure does not bend yet
  void (*set)(Json& training, const std::string& value);
};

std::span<const AblationAxis> ablation_axes();

/// The two parts of a configuration, each with what names it in errors.
struct AblationFile {
  Json training, evaluation;
  std::string training_source, evaluation_source;
};

/// `training` may be the path of a file of its own. Throws kInvalidArgument naming file and key
/// where there is none, otherwise as read_json().
AblationFile read_ablation_file(const std::string& path);

struct AblationOptions {
  Json training;                // as train_config.h reads it, but for what the axis sets
  std::string training_source;  // names it in errors
  RunOptions evaluation;        // model, modes, output and resume are set here
  std::vector<std::string> settings;
  std::filesystem::path output;
  bool resume = false;     // go on where an earlier ablation stopped
  double max_minutes = 0;  // of all trainings and runs; 0: no limit
};

struct AblationResult {
  std::size_t done = 0;  // settings, the first of those asked for
  std::optional<int> signal;
  bool some_failed = false;            // samples of a run
  std::vector<reports::Table> tables;  // of the settings done
  std::filesystem::path page;          // the report of these; empty where none is done
};

/// Throws kInvalidArgument for a setting that the axis does not take, before any work; otherwise as
/// train_router() and evaluate().
AblationResult run_ablation(const AblationAxis& axis, const AblationOptions& options);

}  // namespace elastic::harness
