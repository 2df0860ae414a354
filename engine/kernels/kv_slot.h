#pragma once

// Where the keys and values of one KV head of one sequence lie, for kernels that find them in
// device memory: a recorded decode step serves every later token, whatever has grown or was cut in
// between.

#include <cstdint>

namespace elastic::engine {

/// How a decode step chooses the keys that it reads of a head: whole pages of them, by the bounds
/// of a page's keys (quest).
struct PageRule {
  std::int32_t page = 0;    // keys of a page; 0: a step reads all keys
  std::int32_t budget = 0;  // keys; a cache of no more is read whole
  std::int32_t count = 0;   // pages that each query head reads
  bool newest = false;      // one of them is the newest, whatever its score
  bool group = false;       // the query heads of a KV head choose together, by the sum of scores

  bool operator==(const PageRule&) const = default;
};

/// What PageRule::page may be on a device: pages fill a tile of keys.
inline constexpr std::int32_t kLeastPage = 8, kMostPage = 64;  // and powers of two

/// Query heads that read one KV head at most: rows of one tensor-core tile.
inline constexpr std::int32_t kMostStepGroup = 16;

struct KvSlot {
  void* k = nullptr;  // [rows, head_dim], contiguous
  void* v = nullptr;
  // local > 0: the first `sink` rows stay, the others are a ring of `local` rows.
  std::int32_t sink = 0, local = 0;
  // Otherwise: positions that were evicted; later ones stand so many rows earlier.
  std::int32_t gone = 0;
  // pages.page > 0 (no ring, nothing gone): [pages, head_dim], the least and the largest of each
  // element of a page's keys, kept up by who appends.
  PageRule pages = {};
  void *low = nullptr, *high = nullptr;

  bool operator==(const KvSlot&) const = default;
};

}  // namespace elastic::engine
