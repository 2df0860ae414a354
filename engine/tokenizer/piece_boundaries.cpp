#include "engine/tokenizer/piece_boundaries.h"

namespace elastic::engine {
namespace {

// Whether one whole character begins at `at`.
bool whole_character(std::string_view piece, std::size_t at) {
  const auto lead = static_cast<unsigned char>(piece[at]);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return at + length <= piece.size() && valid_utf8_prefix(piece.substr(at, length)) == length;
}

}  // namespace

PieceBoundaries::PieceBoundaries()
    : ascii_(std::size_t{kAscii} * kAscii),
      pairs_(std::size_t{1} << kPairBits),
      partial_(std::size_t{256} * 256) {}

void PieceBoundaries::add_piece(std::string_view piece) {
  for (std::size_t at = 1; at < piece.size(); ++at) {
    if (is_continuation(piece[at])) continue;  // inside a character
    const std::size_t before = previous_utf8(piece, at);
    const bool whole = whole_character(piece, before) && whole_character(piece, at) &&
                       before + decode_utf8(piece, before).bytes == at;
    if (!whole) {
      partial_[pair_of(piece[at - 1], piece[at])] = true;
      continue;
    }
    const CodePoint left = decode_utf8(piece, before), right = decode_utf8(piece, at);
    if (left.value < kAscii && right.value < kAscii) {
      ascii_[left.value * kAscii + right.value] = true;
    } else {
      pairs_[slot_of(left, right)] = true;
    }
  }
}

}  // namespace elastic::engine
