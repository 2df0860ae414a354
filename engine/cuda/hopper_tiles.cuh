#pragma once

// The work of the Hopper kernel: its tiles (one query head, one block of 128 rows), the order in
// which thread blocks take them, and the shared memory between loading and computing warps.

#include <cuda.h>

#include <cstdint>

#include "engine/cuda/barrier.cuh"
#include "engine/cuda/prefill_call.h"
#include "engine/cuda/tma.cuh"
#include "engine/cuda/visit_list.cuh"

namespace elastic::engine::hopper {

inline constexpr int kRows = kVisitBlock, kKeys = kVisitBlock;   // of a tile, of a step
inline constexpr int kGroup = 128;                               // threads of a warp group
inline constexpr int kGroups = 2, kGroupRows = kRows / kGroups;  // those that compute
inline constexpr int kMaxHeads = 256;                            // KV heads

struct Maps {
  CUtensorMap q, k, v, out;
};

/// What consumers know of their tile. Absolute rows begin at row + q_start.
struct Tile {
  int head, row;  // head < 0: there are no more tiles
  int has_keys, token_sink, token_local;
};

template <typename T, int D>
struct Shared {
  static constexpr int kTiles = 2, kStages = D == 64 ? 4 : 2;
  static constexpr int kBoxes = D / kBoxColumns;

  // Each [boxes of 64 columns][rows][64]. A group's output takes the place of its queries.
  T q[kTiles][kGroups][kGroupRows * D];
  T k[kStages][kKeys * D], v[kStages][kKeys * D];
  Mbarrier q_full[kTiles], q_empty[kTiles];
  Mbarrier k_full[kStages], k_empty[kStages], v_full[kStages], v_empty[kStages];
  Tile tiles[kTiles];
  int steps[kStages];  // key block, complemented in the last step of a tile
  int heads;           // that have anything to do, in `order`
  std::uint8_t order[kMaxHeads];
};

/// The same with room for weights that the tensor cores read from there: [boxes][rows][64] as well.
template <typename T, int D>
struct SharedWithWeights : Shared<T, D> {
  alignas(1024) T weights[kGroups][kGroupRows * kKeys];
};

// Long tiles first, so that short ones fill the gaps at the end.
__device__ inline int rank(const PrefillCall& call, int head) {
  switch (call.visits[call.is_sparse == nullptr ? 0 : call.is_sparse[head]].kind) {
    case VisitKind::kDense:
      return 0;
    case VisitKind::kBits:
      return 1;
    case VisitKind::kWindow:
      return 2;
    default:
      return 3;
  }
}

__device__ inline void order_heads(const PrefillCall& call, int& heads, std::uint8_t* order) {
  const int head = threadIdx.x;
  int before = 0, active = 0;
  const int own = head < call.heads_kv ? rank(call, head) : 3;
  for (int other = 0; other < call.heads_kv; ++other) {
    const int theirs = rank(call, other);
    if (theirs < 3) ++active;
    if (theirs < own || (theirs == own && other < head)) ++before;
  }
  if (own < 3) order[before] = static_cast<std::uint8_t>(head);
  if (head == 0) heads = active;
}

/// How tiles are numbered: one KV head after the other, so that the thread blocks of a moment read
/// the same keys; in it long rows first, the heads of its group beside each other.
struct TileOrder {
  int group, first_block, blocks, count;

  __device__ TileOrder(const PrefillCall& call, int heads)
      : group(call.heads_q / call.heads_kv),
        first_block(call.q_start / kRows),
        blocks((call.q_start + call.rows - 1) / kRows - first_block + 1),
        count(heads * group * blocks) {}
};

/// Takes a number from call.tickets; without them a thread block has only its first tile.
__device__ inline int next_tile(const PrefillCall& call, int count) {
  if (call.tickets == nullptr) return count;
  return static_cast<int>(gridDim.x + atomicAdd(call.tickets, 1u));
}

// The last thread block to run out of tiles leaves the tickets as it found them.
__device__ inline void return_tickets(const PrefillCall& call) {
  if (call.tickets == nullptr) return;
  __threadfence();
  if (atomicAdd(call.tickets + 1, 1u) != gridDim.x - 1) return;
  __threadfence();
  call.tickets[0] = call.tickets[1] = 0;
}

}  // namespace elastic::engine::hopper
