#pragma once

// The merge step of byte-pair encoding: as long as some neighbouring pair is in the merge list, the
// pair of lowest rank, leftmost first, becomes one symbol. Short words scan an array for the
// minimum; long ones use a heap, so that a word of n symbols costs O(n log n).
//
//   MergeTable merges(expected);
//   merges.add(h, e, {.rank = 2, .id = he});
//   MergeWorkspace workspace;
//   merge_symbols(merges, symbols, workspace);  // in place

#include <cstdint>
#include <vector>

namespace elastic::engine {

inline constexpr std::uint32_t kNoRank = 0xFFFFFFFF;

struct Merge {
  std::uint32_t rank = kNoRank;
  std::int32_t id = -1;  // of the merged symbol
};

/// (left id, right id) -> Merge; open addressing over a power of two of slots, at most half full.
class MergeTable {
 public:
  explicit MergeTable(std::size_t expected = 0);

  /// A pair that is there already is replaced (the last line of a merge list counts). `expected`
  /// must not be exceeded.
  void add(std::int32_t left, std::int32_t right, Merge merge);

  Merge find(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key = key_of(left, right);
    for (std::size_t slot = slot_of(key);; slot = (slot + 1) & mask_) {
      if (slots_[slot].key == key) return slots_[slot].merge;
      if (slots_[slot].key == kFree) return {};
    }
  }

 private:
  static constexpr std::uint64_t kFree = ~0ull;
  struct Slot {
    std::uint64_t key = kFree;
    Merge merge;
  };
  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 |
           static_cast<std::uint32_t>(right);
  }
  std::size_t slot_of(std::uint64_t key) const {
    return static_cast<std::size_t>((key ^ key >> 29) * 0x9E3779B97F4A7C15ull >> shift_);
  }

  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  int shift_ = 63;
};

/// Buffers kept between words.
struct MergeWorkspace {
  std::vector<std::int32_t> symbols;
  std::vector<Merge> merges;             // merges[i]: of symbol i and its right neighbour
  std::vector<std::int32_t> next, prev;  // long words only
  std::vector<std::uint64_t> heap;       // rank << 32 | position
};

/// Merges workspace.symbols in place. `first` are the merges of the initial neighbours where the
/// caller knows them (workspace.merges filled, size = symbols - 1).
void merge_symbols(const MergeTable& table, MergeWorkspace& workspace);

}  // namespace elastic::engine
