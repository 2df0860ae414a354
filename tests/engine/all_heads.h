#pragma once

#include <numeric>
#include <vector>

#include "engine/attention/head_mode.h"

namespace elastic::testing {

/// Every KV head of a call.
inline std::vector<int> all_heads(const engine::AttentionInput& input) {
  std::vector<int> heads(static_cast<std::size_t>(input.k.size(0)));
  std::iota(heads.begin(), heads.end(), 0);
  return heads;
}

}  // namespace elastic::testing
