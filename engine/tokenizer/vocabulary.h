#pragma once

// Pieces of a vocabulary: id -> bytes and bytes -> id, in one arena (no string object per piece).
//
//   Vocabulary vocabulary;
//   vocabulary.add("the", 12);
//   vocabulary.find("the");  // 12, or kNoId

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::engine {

inline constexpr std::int32_t kNoId = -1;

class Vocabulary {
 public:
  void reserve(std::size_t pieces, std::size_t bytes);

  /// False, and nothing changed, where the id is taken (ids must be >= 0).
  bool add(std::string_view piece, std::int32_t id);

  /// Makes a piece that was added findable by its bytes;
  /// false where those bytes have an id already.
  bool index(std::int32_t id);

  std::int32_t find(std::string_view piece) const;
  bool has(std::int32_t id) const {
    return id >= 0 && static_cast<std::size_t>(id) < spans_.size() &&
           spans_[static_cast<std::size_t>(id)].begin != kAbsent;
  }
  std::string_view piece(std::int32_t id) const {  // `id` must be there
    const Span span = spans_[static_cast<std::size_t>(id)];
    return std::string_view(arena_).substr(span.begin, span.length);
  }
  std::int64_t id_limit() const { return static_cast<std::int64_t>(spans_.size()); }

 private:
  static constexpr std::uint32_t kAbsent = 0xFFFFFFFF;
  struct Span {
    std::uint32_t begin = kAbsent;
    std::uint32_t length = 0;
  };
  void grow_table();

  std::string arena_;
  std::vector<Span> spans_;          // by id
  std::vector<std::int32_t> table_;  // open addressing, power-of-two size, kNoId = free
  std::size_t indexed_ = 0;
};

}  // namespace elastic::engine
