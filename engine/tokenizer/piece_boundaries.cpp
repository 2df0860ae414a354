#include "engine/tokenizer/piece_boundaries.h"

namespace elastic::engine {

void PieceBoundaries::add_piece(std::string_view piece) {
  if (piece.empty() || valid_utf8_prefix(piece) != piece.size()) return;
  CodePoint left = decode_utf8(piece, 0);
  for (std::size_t at = left.length; at < piece.size();) {
    const CodePoint right = decode_utf8(piece, at);
    const std::uint64_t key = key_of(left.value, right.value);
    others_.insert(key);
    const std::uint64_t a = key >> 32, b = key & 0xFFFFFFFF;
    if (a < kAscii && b < kAscii) ascii_[a * kAscii + b] = true;
    at += right.length;
    left = right;
  }
}

}  // namespace elastic::engine
