#pragma once

// Skip-softmax as modes tell it to the loops over keys: torch-free, so that kernels read it too.

#include <cstdint>

namespace elastic::engine {

/// Tiles that the loop over keys passes over (sparse_attention_2 spec 5). A query tile meets its
/// key tiles in order; one is passed over where the largest score of every row in it lies more than
/// -log_threshold below the largest of that row's tiles so far. A row that sees nothing of the tile
/// does not keep it. What is passed over adds nothing to output and lse.
struct SkipRule {
  double log_threshold = 0;    // ln(scale / keys of the call), below 0
  std::int64_t rows = 64;      // of a query tile, counted from the call's first row
  std::int64_t keys = 128;     // of a key tile, counted from position 0
  bool ascending = true;       // from position 0 up, else from the diagonal down
  bool group_decides = false;  // all query heads of a KV head vote on a tile, else each on its own
};

}  // namespace elastic::engine
