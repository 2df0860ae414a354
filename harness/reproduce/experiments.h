#pragma once

// The paper's tables and figures (arXiv 2601.17367), each with the way it is reproduced or the
// reason why it is not. A way is a function; the array in experiments.cpp lists them, a line each.
//
//   const Experiment& one = find_experiment("fig10");
//   const Reproduced made = one.reproduce(one, options);

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "harness/run/run_options.h"
#include "reports/reproduction.h"
#include "runs/record.h"

namespace elastic::harness {

struct ReproduceOptions {
  RunOptions run;
  std::string paper_model;  // whose rows; empty: by the model's shape, else the first printed
  std::string shape = "llama-3.1-8b";  // of measurements without weights
  std::string training;                // file of a router training and its evaluation
  int layers = 0;                      // of the shape; 0: all
  int repetitions = 0;                 // of a measurement; 0: three, of a router fifty
  double max_minutes = 0;              // of trainings; 0: no limit
};

struct Reproduced {
  std::optional<reports::Reproduction> reproduction;  // nothing: another process says it, or a plan
  std::optional<runs::RunData> run;                   // what it was made of, for the report's page
  int exit_code = 0;
};

struct Experiment {
  const char* name;
  const char* title;
  const char* needs;  // "weights, LongBench-E"
  // Null where there is no way; `note` says why. Else what to know of it, if anything.
  Reproduced (*reproduce)(const Experiment& experiment, const ReproduceOptions& options);
  const char* note;
};

std::span<const Experiment> experiments();

/// By name, or as people say it: "router latency" is fig10. Throws kInvalidArgument.
const Experiment& find_experiment(std::string_view name);

// The ways, each in reproduce_<way>.cpp.

/// Tables of scores and sparsity: the rows' modes over the columns' tasks, as `run` does them.
Reproduced reproduce_samples(const Experiment& experiment, const ReproduceOptions& options);

/// Attention of all heads in one call against serial dispatch, by share of sparse heads.
Reproduced reproduce_fused(const Experiment& experiment, const ReproduceOptions& options);

/// The router alone, by length.
Reproduced reproduce_router(const Experiment& experiment, const ReproduceOptions& options);

/// Prefill speed-up and ESR by length: of a shape with random weights, or, where a model is given,
/// of a run, with scores.
Reproduced reproduce_prefill(const Experiment& experiment, const ReproduceOptions& options);

/// Settings of modes and of router training; those of a run of RULER.
Reproduced reproduce_method_settings(const Experiment& experiment, const ReproduceOptions& options);
Reproduced reproduce_ruler_settings(const Experiment& experiment, const ReproduceOptions& options);

/// Similarity of tasks to the router of layer 0.
Reproduced reproduce_similarity(const Experiment& experiment, const ReproduceOptions& options);

/// A setting of the router varied: routers trained for each, run on the same samples.
Reproduced reproduce_ablation(const Experiment& experiment, const ReproduceOptions& options);

/// Curves of one router training.
Reproduced reproduce_curves(const Experiment& experiment, const ReproduceOptions& options);

/// Heads turned sparse by retrieval score.
Reproduced reproduce_sparsified(const Experiment& experiment, const ReproduceOptions& options);

}  // namespace elastic::harness
