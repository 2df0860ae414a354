#pragma once

// UTF-8 for tokenizers: decoding of text that is known to be valid, and replacement of what is not.
//
//   std::string storage;
//   std::string_view text = valid_utf8(bytes, storage);  // `bytes` itself where it is valid
//   already for (std::size_t at = 0; at < text.size();) { CodePoint c = decode_utf8(text, at); at
//   += c.length; }

#include <cstdint>
#include <string>
#include <string_view>

namespace elastic::engine {

struct CodePoint {
  std::uint32_t value = 0;
  std::uint32_t length = 0;  // bytes
};

/// The code point that starts at byte `at`. `text` must be valid UTF-8 and `at` a boundary in it.
inline CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + i]));
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xE0) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (first < 0xF0) return {(first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F),
          4};
}

/// Byte offset of the code point that ends before `at` (> 0).
inline std::size_t previous_utf8(std::string_view text, std::size_t at) {
  do {
    --at;
  } while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}

void append_utf8(std::string& out, std::uint32_t code_point);

/// Length of the longest valid prefix.
std::size_t valid_utf8_prefix(std::string_view bytes);

/// Appends `bytes` with every maximal ill-formed part replaced by one U+FFFD (the Unicode
/// standard's recommended practice, which is what other decoders do).
void append_lossy_utf8(std::string& out, std::string_view bytes);

/// `bytes` itself where valid, else a repaired copy in `storage`.
std::string_view valid_utf8(std::string_view bytes, std::string& storage);

}  // namespace elastic::engine
