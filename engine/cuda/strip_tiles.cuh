#pragma once

// The work of the strip kernel: its tiles (one query head, 256 query strips, 256 key strips), which
// a pair of thread blocks shares by query strips, and the shared memory between its warps.

#include <cuda.h>

#include <cstdint>

#include "engine/cuda/barrier.cuh"
#include "engine/cuda/strip_call.h"
#include "engine/cuda/tma.cuh"

namespace elastic::engine::strips {

inline constexpr int kGroup = 128, kGroups = 2;  // threads of a warp group; that compute
inline constexpr int kRows = kStripTile / 2;     // query strips of a thread block
inline constexpr int kKeys = kStripTile, kGroupRows = kRows / kGroups;
inline constexpr int kHalf = kKeys / 2;  // key strips that each thread block loads for both
inline constexpr int kStages = 4;

struct Maps {
  CUtensorMap q, k, q_tail, k_tail;
};

/// A stage holds 64 columns of one token of each strip.
template <typename T>
struct Shared {
  T q[kStages][kRows * kBoxColumns], k[kStages][kKeys * kBoxColumns];
  Mbarrier full[kStages], empty[kStages];
  int heads;  // that are meant, in `order`
  std::uint8_t order[kMostStripHeads];
};

__device__ inline bool is_meant(const StripCall& call, int kv_head) {
  return call.decided == nullptr || call.decided[kv_head] == call.wanted;
}

/// KV heads that are meant, ascending; by as many threads as there can be heads.
__device__ inline void list_heads(const StripCall& call, int& heads, std::uint8_t* order) {
  const int head = threadIdx.x;
  int before = 0, meant = 0;
  for (int other = 0; other < call.heads_kv; ++other) {
    if (!is_meant(call, other)) continue;
    ++meant;
    if (other < head) ++before;
  }
  if (head < call.heads_kv && is_meant(call, head)) order[before] = static_cast<std::uint8_t>(head);
  if (head == 0) heads = meant;
}

/// Strips count from the sequence's start, but `query` from that of the band.
struct StripTile {
  int head, kv_head, query, key;  // first strips
};

/// One KV head after the other; in it one key tile after the other, under all its query tiles.
class StripOrder {
 public:
  __device__ StripOrder(const StripCall& call, int heads)
      : group_(call.heads_q / call.heads_kv),
        first_(call.q_start / call.stride + call.first_strip),
        query_tiles_((call.strips + kStripTile - 1) / kStripTile),
        key_tiles_((first_ + call.strips - 1) / kKeys + 1),
        count_(heads * group_ * query_tiles_ * key_tiles_) {}

  __device__ int count() const { return count_; }
  __device__ int first_strip() const { return first_; }  // of the band

  /// False for a tile right of the diagonal.
  __device__ bool tile(int index, const std::uint8_t* order, StripTile& tile) const {
    const int abreast = query_tiles_ * group_, each = abreast * key_tiles_;
    tile.kv_head = order[index / each];
    tile.head = tile.kv_head * group_ + index % group_;
    tile.query = index % abreast / group_ * kStripTile;
    tile.key = index % each / abreast * kKeys;
    return tile.key < first_ + tile.query + kStripTile;
  }

 private:
  int group_, first_, query_tiles_, key_tiles_, count_;
};

}  // namespace elastic::engine::strips
