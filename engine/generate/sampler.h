#pragma once

// Choice of the next token from one row of logits: greedy, or temperature, then top-k, then top-p,
// drawn with a generator of our own so that a seed gives the same tokens everywhere. Torch-free.

#include <cstdint>
#include <span>

#include "base/splitmix.h"
#include "engine/api/generator.h"

namespace elastic::engine {

/// Throws kInvalidArgument naming the field for a negative temperature, top_p outside (0, 1] or a
/// negative top_k.
void check_sampling(const Sampling& sampling);

/// Throws kNonFinite naming how many of a row of a model's logits are NaN or infinite and the first
/// of them: what is drawn from such a row means nothing.
void check_finite(std::span<const float> logits);

/// Index of the largest value, the first of equals; NaN counts as -infinity.
std::int32_t argmax(std::span<const float> logits);

/// temperature 0: argmax and no draw. top_p keeps the fewest most likely tokens whose probabilities
/// sum to at least top_p; equal probabilities in index order.
std::int32_t sample(std::span<const float> logits, const Sampling& sampling, SplitMix64& stream);

}  // namespace elastic::engine
