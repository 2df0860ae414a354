#include "datasets/chinese_words.h"

#include <cmath>

namespace elastic::datasets {
namespace {

constexpr int kCharacterBits = 21;
constexpr std::size_t kFirstSlots = std::size_t{1} << 12;

std::uint64_t edge(ChineseWords::Node node, char32_t c) {
  return std::uint64_t{node} << kCharacterBits | c;
}

std::uint64_t mix(std::uint64_t key) {
  key *= 0x9e3779b97f4a7c15ULL;  // 2^64 / golden ratio: spreads neighbouring keys
  return key ^ key >> 29;
}

}  // namespace

ChineseWords::ChineseWords() : nodes_(1), slots_(kFirstSlots) {}

// The slot that holds `key`, or the free one where it belongs.
std::size_t ChineseWords::find_slot(std::uint64_t key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = mix(key) & mask;
  while (slots_[at].node != kNone && slots_[at].key != key) at = (at + 1) & mask;
  return at;
}

ChineseWords::Node ChineseWords::child(Node node, char32_t c) const {
  return slots_[find_slot(edge(node, c))].node;
}

void ChineseWords::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.node != kNone) slots_[find_slot(slot.key)] = slot;
  }
}

ChineseWords::Node ChineseWords::child_or_new(Node node, char32_t c) {
  const std::uint64_t key = edge(node, c);
  std::size_t at = find_slot(key);
  if (slots_[at].node != kNone) return slots_[at].node;
  if (nodes_.size() * 2 > slots_.size()) {
    grow();
    at = find_slot(key);
  }
  const Node added = static_cast<Node>(nodes_.size());
  nodes_.emplace_back();
  slots_[at] = {key, added};
  return added;
}

void ChineseWords::add(std::u32string_view word, std::int64_t count) {
  Node node = kRoot;
  for (const char32_t c : word) node = child_or_new(node, c);
  nodes_[node].count = count;
  total_ += count;
}

void ChineseWords::finish() {
  const double log_total = std::log(static_cast<double>(total_));
  unknown_weight_ = std::log(1.0) - log_total;
  for (Entry& entry : nodes_) {
    entry.weight =
        entry.count > 0 ? std::log(static_cast<double>(entry.count)) - log_total : unknown_weight_;
  }
}

}  // namespace elastic::datasets
