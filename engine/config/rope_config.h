#pragma once

// Rotary settings of a config.json: the newer `rope_parameters` object, or the older pair of
// `rope_theta` and `rope_scaling`. Torch-free.

#include <cstdint>

#include "base/json.h"
#include "engine/config/model_config.h"

namespace elastic::engine {

/// Throws kUnsupported naming a scaling type the decoder does not compute (dynamic, longrope, ...),
/// kCorrupt for missing or senseless numbers. `max_positions` stands in where
/// `original_max_position_embeddings` is absent.
RopeConfig parse_rope_config(const JsonSource& config, std::int64_t max_positions);

}  // namespace elastic::engine
