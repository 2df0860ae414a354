#pragma once

#include <vector>

#include "engine/attention/head_mode.h"

namespace elastic::testing {

/// Every KV head of a call.
inline std::vector<int> all_heads(const engine::AttentionInput& input) {
  return engine::every_head(input.k.size(0));
}

}  // namespace elastic::testing
