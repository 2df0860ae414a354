#include "engine/tokenizer/bpe_merge.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace elastic::engine {
namespace {

// Above this many symbols the heap wins over repeated scans.
constexpr std::size_t kScanLimit = 96;

void merge_by_scanning(const MergeTable& table, MergeWorkspace& w) {
  std::int32_t* symbols = w.symbols.data();
  Merge* merges = w.merges.data();
  std::size_t pairs = w.merges.size();
  while (pairs > 0) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < pairs; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == kNoRank) break;
    symbols[best] = merges[best].id;
    std::copy(symbols + best + 2, symbols + pairs + 1, symbols + best + 1);
    std::copy(merges + best + 1, merges + pairs, merges + best);
    --pairs;
    if (best > 0) merges[best - 1] = table.find(symbols[best - 1], symbols[best]);
    if (best < pairs) merges[best] = table.find(symbols[best], symbols[best + 1]);
  }
  w.symbols.resize(pairs + 1);
}

// Linked list of symbols; heap entries whose rank is no longer that of their position are stale.
class HeapMerger {
 public:
  HeapMerger(const MergeTable& table, MergeWorkspace& workspace) : table_(table), w_(workspace) {}

  void run() {
    const auto n = static_cast<std::int32_t>(w_.symbols.size());
    w_.next.resize(w_.symbols.size());
    w_.prev.resize(w_.symbols.size());
    w_.merges.resize(w_.symbols.size());  // the last has no neighbour
    for (std::int32_t i = 0; i < n; ++i) {
      w_.next[i] = i + 1;
      w_.prev[i] = i - 1;
      if (i + 1 < n && w_.merges[i].rank != kNoRank) w_.heap.push_back(entry(i));
    }
    std::make_heap(w_.heap.begin(), w_.heap.end(), std::greater<>());
    while (!w_.heap.empty()) step(n);
    std::size_t kept = 0;
    for (std::int32_t i = 0; i < n; i = w_.next[i]) w_.symbols[kept++] = w_.symbols[i];
    w_.symbols.resize(kept);
  }

 private:
  std::uint64_t entry(std::int32_t at) const {
    return std::uint64_t{w_.merges[at].rank} << 32 | static_cast<std::uint32_t>(at);
  }

  void step(std::int32_t n) {
    std::pop_heap(w_.heap.begin(), w_.heap.end(), std::greater<>());
    const std::uint64_t top = w_.heap.back();
    w_.heap.pop_back();
    const auto at = static_cast<std::int32_t>(top & 0xFFFFFFFF);
    if (w_.merges[at].rank != top >> 32) return;
    const std::int32_t eaten = w_.next[at];
    w_.symbols[at] = w_.merges[at].id;
    w_.next[at] = w_.next[eaten];
    w_.merges[eaten] = {};
    if (w_.next[at] < n) w_.prev[w_.next[at]] = at;
    renew(at, n);
    if (w_.prev[at] >= 0) renew(w_.prev[at], n);
  }

  void renew(std::int32_t at, std::int32_t n) {
    const std::int32_t right = w_.next[at];
    w_.merges[at] = right < n ? table_.find(w_.symbols[at], w_.symbols[right]) : Merge{};
    if (w_.merges[at].rank == kNoRank) return;
    w_.heap.push_back(entry(at));
    std::push_heap(w_.heap.begin(), w_.heap.end(), std::greater<>());
  }

  const MergeTable& table_;
  MergeWorkspace& w_;
};

}  // namespace

MergeTable::MergeTable(std::size_t expected) {
  const std::size_t slots = std::bit_ceil(std::max<std::size_t>(2, expected * 2));
  slots_.resize(slots);
  mask_ = slots - 1;
  shift_ = 64 - std::countr_zero(slots);
}

void MergeTable::add(std::int32_t left, std::int32_t right, Merge merge) {
  const std::uint64_t key = key_of(left, right);
  std::size_t slot = slot_of(key);
  while (slots_[slot].key != kFree && slots_[slot].key != key) slot = (slot + 1) & mask_;
  slots_[slot] = {key, merge};
}

void merge_symbols(const MergeTable& table, MergeWorkspace& workspace) {
  if (workspace.symbols.size() < 2) return;
  if (workspace.symbols.size() <= kScanLimit) {
    merge_by_scanning(table, workspace);
  } else {
    HeapMerger(table, workspace).run();
  }
}

}  // namespace elastic::engine
