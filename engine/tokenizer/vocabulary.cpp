#include "engine/tokenizer/vocabulary.h"

#include <algorithm>

#include "engine/tokenizer/hashing.h"

namespace elastic::engine {

void Vocabulary::reserve(std::size_t pieces, std::size_t bytes) {
  spans_.reserve(pieces);
  arena_.reserve(bytes);
}

bool Vocabulary::add(std::string_view piece, std::int32_t id) {
  if (has(id)) return false;
  const auto at = static_cast<std::size_t>(id);
  if (at >= spans_.size()) spans_.resize(at + 1);
  spans_[at] = {static_cast<std::uint32_t>(arena_.size()),
                static_cast<std::uint32_t>(piece.size())};
  arena_.append(piece);
  return true;
}

bool Vocabulary::index(std::int32_t id) {
  if ((indexed_ + 1) * 2 > table_.size()) grow_table();
  const std::string_view bytes = piece(id);
  const std::size_t mask = table_.size() - 1;
  std::size_t slot = hash_bytes(bytes) & mask;
  while (table_[slot] != kNoId) {
    if (piece(table_[slot]) == bytes) return false;
    slot = (slot + 1) & mask;
  }
  table_[slot] = id;
  ++indexed_;
  return true;
}

std::int32_t Vocabulary::find(std::string_view bytes) const {
  if (table_.empty()) return kNoId;
  const std::size_t mask = table_.size() - 1;
  for (std::size_t slot = hash_bytes(bytes) & mask; table_[slot] != kNoId;
       slot = (slot + 1) & mask) {
    if (piece(table_[slot]) == bytes) return table_[slot];
  }
  return kNoId;
}

void Vocabulary::grow_table() {
  std::vector<std::int32_t> old(std::max<std::size_t>(1024, table_.size() * 2), kNoId);
  old.swap(table_);
  indexed_ = 0;
  for (const std::int32_t id : old) {
    if (id != kNoId) index(id);
  }
}

}  // namespace elastic::engine
