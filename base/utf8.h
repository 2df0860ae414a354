#pragma once

// UTF-8: characters of any bytes, of text known to be valid, and the repair of what is not. In any
// bytes, what is not UTF-8 counts as one character a byte, U+DC80 + byte - 0x80 (Python's
// "surrogateescape"), so that nothing is lost.
//
//   std::string storage;
//   const std::string_view text = valid_utf8(bytes, storage);  // `bytes` itself where it is valid
//   for (std::size_t at = 0; at < text.size(); at += decode_utf8(text, at).bytes) ...

#include <cstdint>
#include <string>
#include <string_view>

namespace elastic {

struct CodePoint {
  char32_t value = 0;
  std::uint32_t bytes = 1;  // its length in the text
};

/// The character that starts at `offset` < text.size().
CodePoint code_point_at(std::string_view text, std::size_t offset);

/// The character that ends before `offset` > 0.
CodePoint code_point_before(std::string_view text, std::size_t offset);

/// code_point_at() of text that is valid UTF-8, `at` being the beginning of a character.
inline CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + i]));
  };
  const char32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xE0) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (first < 0xF0) return {(first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F),
          4};
}

/// A byte inside a character, behind its first.
inline bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

/// Byte offset of the character of valid UTF-8 that ends before `at` > 0.
inline std::size_t previous_utf8(std::string_view text, std::size_t at) {
  do {
    --at;
  } while (at > 0 && is_continuation(text[at]));
  return at;
}

void append_utf8(std::string& text, char32_t code_point);

/// The characters of a text, for algorithms that index them; to_utf8() is its inverse.
std::u32string code_points(std::string_view text);
std::string to_utf8(std::u32string_view characters);

/// Number of characters, as Python's len() counts them.
std::int64_t code_point_count(std::string_view text);

/// Length of the longest valid prefix.
std::size_t valid_utf8_prefix(std::string_view bytes);

/// Appends `bytes` with every maximal ill-formed part replaced by one U+FFFD (the Unicode
/// standard's recommended practice, which is what other decoders do).
void append_lossy_utf8(std::string& out, std::string_view bytes);

/// `bytes` itself where valid, else a repaired copy in `storage`.
std::string_view valid_utf8(std::string_view bytes, std::string& storage);

}  // namespace elastic
