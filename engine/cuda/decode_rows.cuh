#pragma once

// Which rows of a head's cache a decode step reads, and in what stretches: all of them, or the
// pages that the head's group has chosen.

#include <cstdint>

#include "engine/cuda/step_call.h"
#include "engine/cuda/step_pages.cuh"

namespace elastic::engine {

inline constexpr int kTile = 64;       // keys of a step
inline constexpr int kSplits = 64;     // stretches of a KV head's keys at most
inline constexpr int kLeastTiles = 4;  // of a stretch

// Keys that lie in a head's cache for its new row.
__device__ inline int stored_keys(const StepShape& shape, const KvSlot& slot, int sequence) {
  const int stored = shape.positions[sequence] + 1 - slot.gone;
  return slot.local > 0 ? min(stored, slot.sink + slot.local) : stored;
}

// One of the stretches of `tokens` keys.
struct Stretch {
  int tokens, length, begin, end;

  __device__ Stretch(int keys, int split) : tokens(keys) {
    const int tiles = (tokens + kTile - 1) / kTile;
    length = max(kLeastTiles, (tiles + kSplits - 1) / kSplits) * kTile;
    begin = split * length;
    end = min(tokens, begin + length);
  }
};

// Rows of a cache, in order.
template <int D>
struct WholeRows {
  int end;

  __device__ std::int64_t row_of(int key) const { return static_cast<std::int64_t>(key) * D; }
  __device__ bool sees(int, int key) const { return key < end; }
};

// Rows of chosen pages, numbered from the first of `list` on.
template <int D>
struct PagedRows {
  const ChosenPage* list;
  int begin, end, shift;  // keys, counted over all pages chosen; a page has 1 << shift

  __device__ const ChosenPage& page_of(int key) const { return list[(key - begin) >> shift]; }
  __device__ std::int64_t row_of(int key) const {
    return ((static_cast<std::int64_t>(page_of(key).page) << shift) + (key & ((1 << shift) - 1))) *
           D;
  }
  __device__ bool sees(int head, int key) const {
    return key < end && (page_of(key).heads >> head & 1) != 0;
  }
};

}  // namespace elastic::engine
