#pragma once

// Published shapes by name, for speed measurements with random weights. Torch-free.

#include <string>

#include "engine/config/model_config.h"

namespace elastic::engine {

/// llama-3.1-8b, qwen3-4b, qwen3-8b, tiny-4x8x64. Throws kInvalidArgument with the known names.
ModelConfig shape_config(const std::string& name);

}  // namespace elastic::engine
