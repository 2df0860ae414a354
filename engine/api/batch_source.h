#pragma once

// What a trainer asks of its data: documents of token ids, a function of the step alone. So a
// training run resumes exactly by asking for the next step, and several processes draw disjoint
// parts without talking. Torch-free; the command connects tasks/training_mix to it, the engine
// never knows a dataset (elastic_attention spec 4.3).
//
//   BatchSource source = ...;
//   std::vector<TrainingDocument> documents = source.draw({.step = 17, .progress = .03});

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace elastic::engine {

/// A family of documents with a sparsity target of its own.
struct TrainingTask {
  std::string name;            // "single", "freq", ...
  double target_sparsity = 1;  // t of the Lagrangian, 0..1: the MSR its documents are pulled to
};

/// One document. Documents of a batch never attend to one another.
struct TrainingDocument {
  std::vector<std::int32_t> ids;        // [tokens], BOS included
  std::vector<std::uint8_t> is_answer;  // [tokens], 1 where the token belongs to an answer
  std::int64_t prompt_tokens = 0;       // the router pools over ids[0, prompt_tokens)
  int task = 0;                         // index into BatchSource::tasks
};

/// Where in a training run a batch stands; equal positions give equal batches.
struct BatchPosition {
  std::int64_t step = 0;  // optimiser step, from 0
  int micro_step = 0;     // within gradient accumulation
  int micro_steps = 1;    // of gradient accumulation, per process
  int rank = 0;           // of the data-parallel processes
  int world = 1;
  double progress = 0;  // step / steps in [0, 1): the length curriculum reads it
};

struct BatchSource {
  std::vector<TrainingTask> tasks;
  /// Throws kCorrupt naming file and line where a document is not usable.
  std::function<std::vector<TrainingDocument>(const BatchPosition&)> draw;
};

}  // namespace elastic::engine
