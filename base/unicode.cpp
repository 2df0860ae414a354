#include "base/unicode.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <span>

#include "base/unicode_tables.h"
#include "base/utf8.h"

namespace elastic {
namespace {

constexpr char32_t kCapitalSigma = 0x3a3;
constexpr char32_t kSmallSigma = 0x3c3;
constexpr char32_t kFinalSigma = 0x3c2;
constexpr char32_t kCapitalDottedI = 0x130;
constexpr char32_t kCombiningDot = 0x307;

// The range that holds `c`, by binary search; null where none does.
template <typename Range>
const Range* find_range(std::span<const Range> ranges, char32_t c) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), c,
                       [](char32_t v, const Range& range) { return v < range.first; });
  if (after == ranges.begin()) return nullptr;
  const Range& range = *std::prev(after);
  return c <= range.last && (c - range.first) % range.stride == 0 ? &range : nullptr;
}

bool in(std::span<const CodePointRange> ranges, char32_t c) {
  return find_range(ranges, c) != nullptr;
}

bool is_cased(char32_t c) {
  const UnicodeTables& tables = unicode_tables();
  return in(tables.upper_case, c) || in(tables.lower_case, c) || in(tables.title_case, c);
}

bool is_case_ignorable(char32_t c) { return in(unicode_tables().case_ignorable, c); }

// A capital sigma at [begin, end) is final: a cased letter before it, none after it, characters
// that are case-ignorable not counting.
bool is_final_sigma(std::string_view text, std::size_t begin, std::size_t end) {
  bool cased_before = false;
  while (begin > 0) {
    const CodePoint c = code_point_before(text, begin);
    begin -= c.bytes;
    if (is_case_ignorable(c.value)) continue;
    cased_before = is_cased(c.value);
    break;
  }
  if (!cased_before) return false;
  while (end < text.size()) {
    const CodePoint c = code_point_at(text, end);
    end += c.bytes;
    if (!is_case_ignorable(c.value)) return !is_cased(c.value);
  }
  return true;
}

}  // namespace

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x1f);
  return in(unicode_tables().space, c);
}

bool is_upper(char32_t c) { return in(unicode_tables().upper_case, c); }
bool is_lower(char32_t c) { return in(unicode_tables().lower_case, c); }

bool is_decimal_digit(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  return in(unicode_tables().decimal_digit, c);
}

bool is_word(char32_t c) {
  if (c == '_') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

bool is_printable(char32_t c) {
  if (c == ' ') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

std::string visible(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    if (c.value == '\n' || c.value == '\t' || is_printable(c.value)) {
      shown.append(text, at, c.bytes);
    } else if (c.bytes == 1) {  // control characters and bytes that are not UTF-8
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
    } else {
      const auto value = static_cast<std::uint32_t>(c.value);
      shown += value <= 0xffff ? fmt::format("\\u{:04x}", value) : fmt::format("\\U{:08x}", value);
    }
    at += c.bytes;
  }
  return shown;
}

std::string_view strip_white_space(std::string_view text) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    const CodePoint c = code_point_at(text, begin);
    if (!is_space(c.value)) break;
    begin += c.bytes;
  }
  std::size_t end = text.size();
  while (end > begin) {
    const CodePoint c = code_point_before(text, end);
    if (!is_space(c.value)) break;
    end -= c.bytes;
  }
  return text.substr(begin, end - begin);
}

std::vector<std::string_view> split_white_space(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t begin = std::string_view::npos;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    if (is_space(c.value)) {
      if (begin != std::string_view::npos) words.push_back(text.substr(begin, i - begin));
      begin = std::string_view::npos;
    } else if (begin == std::string_view::npos) {
      begin = i;
    }
    i += c.bytes;
  }
  if (begin != std::string_view::npos) words.push_back(text.substr(begin));
  return words;
}

std::string lower_case(std::string_view text) {
  std::string lowered;
  lowered.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    if (c.value < 0x80) {
      const char ascii = static_cast<char>(c.value);
      lowered += ascii >= 'A' && ascii <= 'Z' ? static_cast<char>(ascii + ('a' - 'A')) : ascii;
    } else if (c.value == kCapitalSigma) {
      append_utf8(lowered, is_final_sigma(text, i, i + c.bytes) ? kFinalSigma : kSmallSigma);
    } else if (c.value == kCapitalDottedI) {
      append_utf8(lowered, 'i');
      append_utf8(lowered, kCombiningDot);
    } else if (const LowerRange* range = find_range(unicode_tables().lower, c.value)) {
      append_utf8(lowered,
                  static_cast<char32_t>(static_cast<std::int64_t>(c.value) + range->offset));
    } else {
      lowered.append(text.substr(i, c.bytes));
    }
    i += c.bytes;
  }
  return lowered;
}

}  // namespace elastic
