#include "base/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace elastic {
namespace {

constexpr char32_t kByteEscape = 0xdc00;  // a byte b that is no UTF-8 is U+DC00 + b
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Sequence {
  std::size_t length = 0;  // bytes taken: the whole sequence, or its longest well-formed start
  bool valid = false;
};

// One sequence of the well-formedness table of the Unicode standard (no overlong forms, no
// surrogates, nothing above U+10FFFF).
Sequence scan_sequence(std::string_view bytes, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return {1, true};
  if (first < 0xC2 || first > 0xF4) return {1, false};
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  unsigned low = 0x80, high = 0xBF;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  for (std::size_t i = 1; i < length; ++i) {
    if (byte(i) < low || byte(i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true};
}

}  // namespace

CodePoint code_point_at(std::string_view text, std::size_t offset) {
  if (scan_sequence(text, offset).valid) return decode_utf8(text, offset);
  return {kByteEscape + static_cast<unsigned char>(text[offset]), 1};
}

CodePoint code_point_before(std::string_view text, std::size_t offset) {
  for (std::size_t bytes = 1; bytes <= std::min<std::size_t>(4, offset); ++bytes) {
    if (is_continuation(text[offset - bytes])) continue;
    const CodePoint c = code_point_at(text, offset - bytes);
    if (c.bytes == bytes) return c;
    break;
  }
  return {kByteEscape + static_cast<unsigned char>(text[offset - 1]), 1};
}

void append_utf8(std::string& text, char32_t c) {
  if (c >= kByteEscape + 0x80 && c <= kByteEscape + 0xff) {
    text += static_cast<char>(c - kByteEscape);
    return;
  }
  std::array<utf8proc_uint8_t, 4> buffer{};
  const auto bytes = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), buffer.data());
  text.append(reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(bytes));
}

std::u32string code_points(std::string_view text) {
  std::u32string characters;
  characters.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    characters += c.value;
    i += c.bytes;
  }
  return characters;
}

std::string to_utf8(std::u32string_view characters) {
  std::string text;
  text.reserve(characters.size());
  for (const char32_t c : characters) append_utf8(text, c);
  return text;
}

std::int64_t code_point_count(std::string_view text) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < text.size(); i += code_point_at(text, i).bytes) ++count;
  return count;
}

std::size_t valid_utf8_prefix(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::uint64_t word = 0;
    if (at + 8 <= bytes.size()) {
      std::memcpy(&word, bytes.data() + at, 8);
      if ((word & 0x8080808080808080ull) == 0) {
        at += 8;
        continue;
      }
    }
    const Sequence sequence = scan_sequence(bytes, at);
    if (!sequence.valid) return at;
    at += sequence.length;
  }
  return at;
}

void append_lossy_utf8(std::string& out, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t good = valid_utf8_prefix(bytes);
    out.append(bytes.substr(0, good));
    if (good == bytes.size()) return;
    out.append(kReplacement);
    bytes.remove_prefix(good + scan_sequence(bytes, good).length);
  }
}

std::string_view valid_utf8(std::string_view bytes, std::string& storage) {
  if (valid_utf8_prefix(bytes) == bytes.size()) return bytes;
  storage.clear();
  append_lossy_utf8(storage, bytes);
  return storage;
}

}  // namespace elastic
