#pragma once

// Where a text may be cut without changing what byte-pair merges make of it: between two characters
// that are neighbours in no piece, because a merge across the cut would make a piece that holds
// both. Pairs are kept in a hashed bit table; two that share a bit only make a cut be missed.
//
//   PieceBoundaries boundaries;
//   for (...) boundaries.add_piece(piece);
//   const std::size_t end = boundaries.word_end(text, 0);  // the first word is text[0, end)

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "engine/tokenizer/hashing.h"

namespace elastic::engine {

class PieceBoundaries {
 public:
  PieceBoundaries();

  /// Bytes of a piece, which may begin or end inside a character.
  void add_piece(std::string_view piece);

  /// Between the code points `left` and `right`, of which the bytes are the last and the first.
  bool may_cut(CodePoint left, char last_byte, CodePoint right, char first_byte) const {
    if (left.value < kAscii && right.value < kAscii) {
      return !ascii_[left.value * kAscii + right.value];
    }
    return !partial_[pair_of(last_byte, first_byte)] && !pairs_[slot_of(left, right)];
  }

  /// End of the word that begins at `at` (< text.size()); `text` must be valid UTF-8.
  std::size_t word_end(std::string_view text, std::size_t at) const {
    CodePoint left = decode_utf8(text, at);
    for (at += left.bytes; at < text.size();) {
      const CodePoint right = decode_utf8(text, at);
      if (may_cut(left, text[at - 1], right, text[at])) break;
      at += right.bytes;
      left = right;
    }
    return at;
  }

 private:
  static constexpr std::uint32_t kAscii = 128;
  static constexpr int kPairBits = 21;  // 256 KiB of bits for up to about 100,000 pairs
  static std::size_t pair_of(char last, char first) {
    return std::size_t{static_cast<unsigned char>(last)} << 8 | static_cast<unsigned char>(first);
  }
  static std::size_t slot_of(CodePoint left, CodePoint right) {
    return static_cast<std::size_t>(mix_words(left.value, right.value) >> (64 - kPairBits));
  }

  std::vector<bool> ascii_, pairs_;
  std::vector<bool> partial_;  // pieces that hold a part of one of the two characters
};

}  // namespace elastic::engine
