#pragma once

// Data of every cell, made before the model is loaded: whatever is missing ends the run before it
// starts, and nothing is fetched or generated between two samples.
//
//   std::vector<PreparedCell> cells = prepare(plan, options, tokenizer, threads);

#include <string>
#include <vector>

#include "harness/run/plan.h"

namespace elastic::harness {

struct PreparedCell {
  const PlannedTask* task = nullptr;
  std::int64_t length = 0;
  std::vector<tasks::Sample> samples;
  std::vector<std::string> content_sha256;  // of each sample's input, prefix and references
  tasks::DataIdentity identity;             // with a data_id of our own where the task gives none
};

/// In the order of the plan; cells are loaded on up to `threads` threads. The first error in plan
/// order is thrown; but a cell that is too short for its task is left out with a warning, as long
/// as another one remains. `chat`: the checkpoint's template, null where it has none.
std::vector<PreparedCell> prepare(const Plan& plan, const RunOptions& options,
                                  const engine::Tokenizer* tokenizer, int threads,
                                  const engine::ChatTemplate* chat = nullptr);

}  // namespace elastic::harness
