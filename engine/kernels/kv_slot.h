#pragma once

// Where the keys and values of one KV head of one sequence lie, for kernels that find them in
// device memory: a recorded decode step serves every later token, whatever has grown or was cut in
// between.

#include <cstdint>

namespace elastic::engine {

struct KvSlot {
  void* k = nullptr;  // [rows, head_dim], contiguous
  void* v = nullptr;
  // local > 0: the first `sink` rows stay, the others are a ring of `local` rows.
  std::int32_t sink = 0, local = 0;
  // Otherwise: positions that were evicted; later ones stand so many rows earlier.
  std::int32_t gone = 0;

  bool operator==(const KvSlot&) const = default;
};

}  // namespace elastic::engine
