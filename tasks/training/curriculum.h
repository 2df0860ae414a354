#pragma once

// How long the documents of a generated mixture are: stages of a training with lengths to draw
// from, one length a step, and how much of it a document fills.
//
//   const std::vector<LengthStage> stages = read_curriculum(keys, tokens_per_batch, {{}});
//   BatchDraw draw = begin_batch(seed, stages, position);
//   const std::int64_t room = draw_room(fill, draw.length, draw.random);

#include <cstdint>
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

/// The key `curriculum`: stages with ascending `until`, the last 1, lengths up to `batch` tokens;
/// `fallback` where the key is absent. Throws kInvalidArgument naming the key.
std::vector<LengthStage> read_curriculum(ConfigKeys& keys, std::int64_t batch,
                                         std::vector<LengthStage> fallback);

/// The key `fill`. Throws kInvalidArgument.
Fill read_fill(ConfigKeys& keys);

/// The stage that a progress falls into.
const LengthStage& stage_at(const std::vector<LengthStage>& stages, double progress);

/// What the documents of one draw have in common.
struct BatchDraw {
  std::int64_t length = 0;  // the same for all processes and micro steps of a step
  MixRandom random;         // of this process and micro step
};
BatchDraw begin_batch(std::uint64_t seed, const std::vector<LengthStage>& stages,
                      const engine::BatchPosition& position);

/// Tokens of a document; full ones more often than short ones, as a benchmark's prompts are full.
std::int64_t draw_room(const Fill& fill, std::int64_t length, MixRandom& random);

}  // namespace elastic::tasks
