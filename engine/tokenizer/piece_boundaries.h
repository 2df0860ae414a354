#pragma once

// Where a text may be cut without changing its sentencepiece BPE encoding: between two characters
// that are neighbours in no piece. A merge across the cut would make a piece that holds both.
//
//   PieceBoundaries boundaries;
//   for (...) boundaries.add_piece(piece);
//   const std::size_t end = boundaries.word_end(text, 0);  // the first word is text[0, end)

#include <bitset>
#include <cstdint>
#include <string_view>
#include <unordered_set>

#include "engine/tokenizer/utf8.h"

namespace elastic::engine {

class PieceBoundaries {
 public:
  /// U+2581 in a piece stands for a space.
  void add_piece(std::string_view piece);

  bool may_cut(std::uint32_t left, std::uint32_t right) const {
    if (left < kAscii && right < kAscii) return !ascii_[left * kAscii + right];
    return !others_.contains(key_of(left, right));
  }

  /// End of the word that begins at `at` (< text.size()); `text` must be valid UTF-8.
  std::size_t word_end(std::string_view text, std::size_t at) const {
    CodePoint left = decode_utf8(text, at);
    for (at += left.length; at < text.size();) {
      const CodePoint right = decode_utf8(text, at);
      if (may_cut(left.value, right.value)) break;
      at += right.length;
      left = right;
    }
    return at;
  }

 private:
  static constexpr std::uint32_t kAscii = 128;
  static constexpr std::uint32_t kBlank = 0x2581;
  static std::uint64_t key_of(std::uint32_t left, std::uint32_t right) {
    const auto plain = [](std::uint32_t c) { return std::uint64_t{c == kBlank ? ' ' : c}; };
    return plain(left) << 32 | plain(right);
  }

  std::bitset<kAscii * kAscii> ascii_;
  std::unordered_set<std::uint64_t> others_;
};

}  // namespace elastic::engine
