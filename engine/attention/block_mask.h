#pragma once

// Visible keys of query blocks, as key ranges per query block: the common form of streaming, XA,
// MoBA and InfLLM-V2 masks. Torch-free. Token causality is applied by the kernels on top of it.

#include <cstdint>
#include <vector>

namespace elastic::engine {

/// Keys [begin, end), absolute positions.
struct KeyRange {
  std::int64_t begin = 0, end = 0;
};

/// Mask of one head: query block b covers absolute positions [(first_block + b) * block, ...) and
/// sees `ranges[offsets[b] .. offsets[b+1])`, ascending, disjoint, clipped to the causal area of
/// its last row.
struct HeadMask {
  std::vector<KeyRange> ranges;
  std::vector<std::int64_t> offsets;  // blocks + 1 entries
};

struct BlockMask {
  std::int64_t query_block = 128;  // rows per query block, counted from absolute position 0
  std::int64_t first_block = 0;    // block of the first query row
  // One mask for all heads (size 1), or one per query head of the KV heads asked for, in order.
  std::vector<HeadMask> heads;
  // Token-granular window within a block (streaming block=1): key j visible only if j < sink or
  // p - j < local. 0 = none.
  std::int64_t token_sink = 0, token_local = 0;
};

}  // namespace elastic::engine
