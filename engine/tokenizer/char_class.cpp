#include "engine/tokenizer/char_class.h"

#include <utf8proc.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/utf8.h"

namespace elastic::engine {
namespace {

constexpr std::uint32_t kCodePoints = 0x110000;

bool is_white_space(std::uint32_t c, utf8proc_category_t category) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
         category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

std::uint8_t class_of(std::uint32_t c, utf8proc_category_t category) {
  std::uint8_t flags = 0;
  switch (category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      flags = kLetter | kWord;
      break;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
      flags = kNumber | kWord;
      break;
    case UTF8PROC_CATEGORY_NO:
      flags = kNumber;
      break;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_PC:
      flags = kWord;
      break;
    default:
      break;
  }
  if (is_white_space(c, category)) flags |= kSpace;
  if (c == '\r' || c == '\n') flags |= kNewline;
  if (c == 0x200C || c == 0x200D) flags |= kWord;  // join controls
  return flags;
}

// A code point is safe if it has no combining class, is its own NFC, and is never absorbed by the
// one before it, that is, never a later part of a canonical decomposition.
void mark_nfc(std::vector<std::uint8_t>& flags, std::uint32_t c) {
  const utf8proc_property_t* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
  if (property->combining_class != 0) flags[c] |= kMayChangeInNfc;
  if ((c >= 0x1161 && c <= 0x1175) || (c >= 0x11A8 && c <= 0x11C2)) flags[c] |= kMayChangeInNfc;
  // Singletons and composition exclusions: canonical decompositions that do not compose back.
  if (property->decomp_seqindex == UINT16_MAX || property->decomp_type != 0) return;
  std::array<utf8proc_int32_t, 32> parts{};
  int boundary = 0;
  const utf8proc_ssize_t count = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE), &boundary);
  for (utf8proc_ssize_t i = 1; i < count; ++i) flags[parts[i]] |= kMayChangeInNfc;
  const utf8proc_ssize_t composed = utf8proc_normalize_utf32(
      parts.data(), count, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (composed != 1 || parts[0] != static_cast<utf8proc_int32_t>(c)) flags[c] |= kMayChangeInNfc;
}

// Offset of the first character from `at` on whose flag kMayChangeInNfc is `wanted`.
std::size_t find_nfc(std::string_view text, std::size_t at, bool wanted) {
  const CharClasses& classes = char_classes();
  while (at < text.size()) {
    if (wanted && at + 8 <= text.size()) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + at, 8);
      if ((word & 0x8080808080808080ull) == 0) {
        at += 8;
        continue;
      }
    }
    const CodePoint c = decode_utf8(text, at);
    if (((classes[c.value] & kMayChangeInNfc) != 0) == wanted) return at;
    at += c.bytes;
  }
  return at;
}

void append_nfc(std::string& out, std::string_view text) {
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &result,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
  check(length >= 0, "NFC of valid UTF-8");
  out.append(reinterpret_cast<const char*>(result), static_cast<std::size_t>(length));
}

}  // namespace

CharClasses::CharClasses() : flags_(kCodePoints) {
  for (std::uint32_t c = 0; c < kCodePoints; ++c) {
    flags_[c] |= class_of(c, utf8proc_category(static_cast<utf8proc_int32_t>(c)));
    mark_nfc(flags_, c);
  }
}

const CharClasses& char_classes() {
  static const CharClasses classes;
  return classes;
}

std::string_view to_nfc(std::string_view text, std::string& storage) {
  std::size_t next = find_nfc(text, 0, true);
  if (next == text.size()) return text;
  // Only runs of characters that may change are normalized, each with the safe one before it, which
  // it may combine with; before a safe character the form is settled.
  storage.clear();
  std::size_t done = 0;
  while (next < text.size()) {
    const std::size_t begin = next > done ? previous_utf8(text, next) : next;
    const std::size_t end = find_nfc(text, next, false);
    storage.append(text.substr(done, begin - done));
    append_nfc(storage, text.substr(begin, end - begin));
    done = end;
    next = find_nfc(text, end, true);
  }
  storage.append(text.substr(done));
  return storage;
}

}  // namespace elastic::engine
