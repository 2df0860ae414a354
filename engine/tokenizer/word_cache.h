#pragma once

// Words already encoded, bounded by construction: a table of 64-byte entries (one cache line), each
// word having one place where a newer one replaces it. Words over 31 bytes or 7 ids are not kept.
// One cache belongs to one thread at a time.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "engine/tokenizer/hashing.h"

namespace elastic::engine {

class WordCache {
 public:
  static constexpr std::size_t kMaxBytes = 31;
  static constexpr std::size_t kMaxIds = 7;

  struct alignas(64) Entry {
    std::array<std::int32_t, kMaxIds> ids;
    std::uint32_t count = 0;
    std::array<char, kMaxBytes> key;
    std::uint8_t length = 0;  // 0 = free
  };

  WordCache() : entries_(kEntries) {}

  /// A fragment of a word is no word: where whole pieces are taken as they are, its ids may differ.
  enum class Kind : std::uint8_t { kWholeWord = 0, kFragment = kMaxBytes + 1 };

  /// The place of a word of 1 to kMaxBytes bytes.
  Entry& place(std::string_view word) {
    return entries_[static_cast<std::size_t>(hash_bytes(word) >> kShift)];
  }

  static bool holds(const Entry& entry, std::string_view word, Kind kind = Kind::kWholeWord) {
    return entry.length == word.size() + static_cast<std::size_t>(kind) &&
           equal_bytes(entry.key.data(), word.data(), word.size());
  }

  static void store(Entry& entry, std::string_view word, std::span<const std::int32_t> ids,
                    Kind kind = Kind::kWholeWord) {
    if (ids.size() > kMaxIds) return;
    std::memcpy(entry.key.data(), word.data(), word.size());
    std::copy(ids.begin(), ids.end(), entry.ids.begin());  // none for a word of unknown bytes
    entry.count = static_cast<std::uint32_t>(ids.size());
    entry.length = static_cast<std::uint8_t>(word.size() + static_cast<std::size_t>(kind));
  }

 private:
  static constexpr int kBits = 16;  // 65,536 entries, 4 MiB
  static constexpr int kShift = 64 - kBits;
  static constexpr std::size_t kEntries = std::size_t{1} << kBits;

  std::vector<Entry> entries_;
};

}  // namespace elastic::engine
