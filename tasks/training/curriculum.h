#pragma once

// How long the documents of a generated mixture are: stages of a training with lengths to draw
// from, one length a step, and how much of it a document fills.
//
//   BatchShape shape;
//   read_batch_shape(keys, {{}}, shape);
//   documents = draw_batch(shape, position, [&](std::int64_t length, MixRandom& random) { ... });

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/api/batch_source.h"
#include "tasks/training/config_keys.h"
#include "tasks/training/mix_random.h"

namespace elastic::tasks {

inline constexpr double kMostBatchTokens = 1 << 24;
inline constexpr double kShortestDocument = 128;  // tokens: room for a question and its needle

/// Lengths drawn while progress is below `until`.
struct LengthStage {
  double until = 1;
  std::vector<std::int64_t> lengths;  // tokens
  std::vector<double> weights;        // of the lengths
};

/// Shares of a length that a document has.
struct Fill {
  double least = .35, most = .97;
};

/// What generated mixtures have in common.
struct BatchShape {
  std::uint64_t seed = 1;
  std::int64_t tokens_per_batch = 65536;  // of one draw, at most
  std::vector<LengthStage> curriculum;    // ascending `until`, the last 1
};

/// The keys `seed`, `tokens_per_batch` and `curriculum`: stages with ascending `until`, the last 1,
/// lengths up to tokens_per_batch; `stages` where the key is absent. Throws kInvalidArgument naming
/// the key.
void read_batch_shape(ConfigKeys& keys, std::vector<LengthStage> stages, BatchShape& shape);

/// The key `fill`. Throws kInvalidArgument.
Fill read_fill(ConfigKeys& keys);

/// The stage that a progress falls into.
const LengthStage& stage_at(const std::vector<LengthStage>& stages, double progress);

/// Documents of one draw, until another might not fit: one length for all processes and micro
/// steps of a step, random numbers of this process and micro step.
std::vector<engine::TrainingDocument> draw_batch(
    const BatchShape& shape, const engine::BatchPosition& position,
    const std::function<engine::TrainingDocument(std::int64_t length, MixRandom& random)>& draw);

/// Tokens of a document; full ones more often than short ones, as a benchmark's prompts are full.
std::int64_t draw_room(const Fill& fill, std::int64_t length, MixRandom& random);

}  // namespace elastic::tasks
