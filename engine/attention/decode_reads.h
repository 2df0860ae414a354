#pragma once

// What decode steps read of keys, values and what a mode keeps about them, beside what dense steps
// would (sparse_attention_2 spec 7): read_share = bytes read / dense bytes, over all steps, layers
// and KV heads. Query heads that choose apart make their KV head read the union.

#include <cstdint>
#include <optional>

#include "engine/attention/attention_backend.h"
#include "engine/attention/head_mode.h"

namespace elastic::engine {

struct DecodeReads {
  double read = 0, dense = 0;  // bytes

  void add(double bytes, double dense_bytes) {
    read += bytes;
    dense += dense_bytes;
  }
  /// Nothing before the first step.
  std::optional<double> share() const {
    return dense > 0 ? std::optional(read / dense) : std::nullopt;
  }
};

/// Keys that at least one of the mask's heads [first, first + count) sees of its only row.
std::int64_t keys_of_union(const BlockMask& mask, std::int64_t first, std::int64_t count);

/// One step of one layer whose modes select, after its attention: `groups` of select_step(), the
/// layer's state.
void count_step(DecodeReads& reads, const HeadGroups& groups, const AttentionInput& input,
                const HeadState& state);

}  // namespace elastic::engine
