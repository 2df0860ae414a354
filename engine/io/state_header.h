#pragma once

// What a training's state file says of itself: JSON text in the
// bytes of its tensor `header`. Torch-free.

#include <cstdint>
#include <string>

#include "engine/io/safetensors.h"

namespace elastic::engine {

struct StateHeader {
  std::int64_t step = 0, tokens = 0;  // done
  std::string options;                // what the numbers depend on; a resumed run must agree
};

inline constexpr const char* kStateHeader = "header";  // U8

std::string state_header_text(const StateHeader& header);

/// kCorrupt naming `source` and key.
StateHeader parse_state_header(const TensorView& text, const std::string& source);

/// kInvalidArgument where the options differ, naming the first that does.
/// Both are flat JSON objects.
void compare_state_options(const std::string& source, const std::string& stored,
                           const std::string& wanted);

}  // namespace elastic::engine
