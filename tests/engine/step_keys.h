#pragma once

// What a decode step reads, as sets to compare.

#include <cstdint>
#include <set>

#include "engine/kernels/block_mask.h"

namespace elastic::testing {

/// Units of `unit` keys of which the newest of `tokens` positions sees a key.
inline std::set<std::int64_t> units_read(const engine::BlockMask& mask, std::int64_t h,
                                         std::int64_t tokens, std::int64_t unit = 1) {
  std::set<std::int64_t> units;
  for (std::int64_t j = 0; j < tokens; ++j) {
    if (is_visible(mask, h, tokens - 1, j)) units.insert(j / unit);
  }
  return units;
}

}  // namespace elastic::testing
