#pragma once

// The loop of a run: prompt, generate, score, append; samples already there are passed over by key.
// Samples of all tasks and modes are in flight together, so that a batch never drains in between. A
// sample that fails is a record with its reason and the loop goes on.
//
//   RunJob job{.options = options, .cells = cells, .generator = *engine, .tokenizer = &tokenizer};
//   RunStore store(store_options, run_spec(job));
//   const RunOutcome outcome = run_samples(job, store);

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/api/generator.h"
#include "harness/run/plan.h"
#include "harness/run/prepare.h"
#include "runs/run_store.h"

namespace elastic::harness {

struct RunMode {
  std::string name;  // as asked: "fa-ssa"
  std::string full;  // with every option spelt out
};

struct RunJob {
  const RunOptions& options;
  const std::vector<PreparedCell>& cells;
  std::vector<RunMode> modes;
  engine::Generator& generator;
  const engine::Tokenizer* tokenizer = nullptr;
  const engine::ChatTemplate* chat = nullptr;
  int rank = 0;
  int world_size = 1;  // samples with index % world_size == rank are this process's
};

struct RunOutcome {
  std::int64_t planned = 0;  // this process's share
  std::int64_t found = 0;    // of these, there already with outcome ok
  std::int64_t ran = 0;
  std::int64_t failed = 0;                           // ran with another outcome than ok
  std::map<runs::Outcome, std::int64_t> failures;    // of these, by outcome
  std::int64_t truncated = 0, truncated_tokens = 0;  // samples that ran, tokens they lost
  std::int64_t short_samples = 0;                    // below 95 % of the stated length
  std::optional<int> signal;                         // stopped by it, between two samples
};

/// Samples that a run has in flight at most: --batch-size, with --timing 1, else 32 on a GPU, where
/// a step costs hardly more for many, and 1 on the CPU.
std::int64_t most_in_flight(const RunOptions& options, std::string_view device);

/// Asks the engine for every mode in turn. Throws kInvalidArgument where
/// two are the same, and what set_mode() throws.
std::vector<RunMode> resolve_modes(const std::vector<std::string>& names,
                                   engine::Generator& generator);

/// What run.json says of this job: settings, counts, data ids. The caller adds environment.
runs::RunSpec run_spec(const RunJob& job);

/// The settings that go into the key of every sample: those of run_spec() without the profiles,
/// since a sample depends on its own suite's alone.
std::map<std::string, std::string> key_settings(const RunJob& job);

/// Throws kInvalidArgument where a record of the same sample was made from other data, or where
/// prompt ids begin with two BOS; kIo where a record cannot be written; kDevice where the device
/// failed and nothing more can run on it.
RunOutcome run_samples(const RunJob& job, runs::RunStore& store);

}  // namespace elastic::harness
