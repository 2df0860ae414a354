#pragma once

// Visit lists: the key blocks of one query block in descending order, so that the masked diagonal
// comes first. Every thread of a block walks the same list (kernels.md 5.1).

#include <cstdint>

#include "engine/cuda/prefill_call.h"

namespace elastic::engine {

inline constexpr int kVisitBlock = 128;  // kMaskBlock

class VisitList {
 public:
  /// Of absolute query block `own`, row `row` of the bit table.
  __device__ VisitList(const HeadVisits& visits, int own, std::int64_t row)
      : kind_(visits.kind),
        sink_(visits.sink_blocks),
        local_(max(0, own - visits.local_blocks + 1)),
        bits_(visits.bits + row * visits.words) {}

  /// The greatest visited block at or below `block`; negative when there is none.
  __device__ int at_or_below(int block) const {
    if (kind_ == VisitKind::kDense) return block;
    if (kind_ == VisitKind::kWindow) return block < local_ ? min(block, sink_ - 1) : block;
    for (int word = block / 32; block >= 0; --word, block = 32 * word + 31) {
      const std::uint32_t set = bits_[word] & (0xffffffffu >> (31 - block % 32));
      if (set != 0) return 32 * word + 31 - __clz(static_cast<int>(set));
    }
    return -1;
  }

 private:
  VisitKind kind_;
  int sink_, local_;
  const std::uint32_t* bits_;
};

}  // namespace elastic::engine
