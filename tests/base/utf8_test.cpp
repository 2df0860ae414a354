// Against the table of the Unicode standard.

#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace elastic {
namespace {

// How many bytes at the front of `text` are one character or, `valid` being false, the longest
// start of one (table 3-7 of the Unicode standard), at least 1.
std::size_t front(std::string_view text, bool& valid) {
  struct Row {
    unsigned first, last, low, high;
    std::size_t bytes;
  };
  constexpr Row kRows[] = {
      {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
      {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
      {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  valid = false;
  for (const Row& row : kRows) {
    if (byte(0) < row.first || byte(0) > row.last) continue;
    std::size_t good = 1;
    while (good < row.bytes && good < text.size() && byte(good) >= (good == 1 ? row.low : 0x80) &&
           byte(good) <= (good == 1 ? row.high : 0xbf)) {
      ++good;
    }
    valid = good == row.bytes;
    return good;
  }
  return 1;
}

std::string repaired(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    bool valid = false;
    const std::size_t bytes = front(text, valid);
    out += valid ? text.substr(0, bytes) : "\uFFFD";
    text.remove_prefix(bytes);
  }
  return out;
}

std::size_t valid_bytes(std::string_view text) {
  std::size_t at = 0;
  for (bool valid = true; valid && at < text.size();) {
    const std::size_t bytes = front(text.substr(at), valid);
    if (valid) at += bytes;
  }
  return at;
}

// What is no character is one for each of its bytes.
std::u32string characters(std::string_view text) {
  std::u32string out;
  while (!text.empty()) {
    bool valid = false;
    std::size_t bytes = front(text, valid);
    if (!valid) bytes = 1;
    const CodePoint escaped{U'\xdc00' + static_cast<unsigned char>(text[0]), 1};
    out += (valid ? decode_utf8(text, 0) : escaped).value;
    text.remove_prefix(bytes);
  }
  return out;
}

std::u32string from_the_end(std::string_view text) {
  std::u32string out;
  for (std::size_t end = text.size(); end > 0;) {
    const CodePoint c = code_point_before(text, end);
    out.insert(out.begin(), c.value);
    end -= c.bytes;
  }
  return out;
}

TEST(Utf8, IsWhatTheStandardsTableSays) {
  const std::string bytes =
      "a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef"
      "\xf0\xf1\xf3\xf4\xf5\xff";
  const std::size_t n = bytes.size();
  std::string storage;
  for (std::size_t i = 0; i < n * n * n * n; ++i) {
    const std::string whole = {bytes[i % n], bytes[i / n % n], bytes[i / n / n % n],
                               bytes[i / n / n / n], '\x80'};
    const std::string_view text = std::string_view(whole).substr(0, 4);
    ASSERT_EQ(valid_utf8_prefix(text), valid_bytes(text)) << i;
    storage = "old";
    ASSERT_EQ(valid_utf8(text, storage), repaired(text)) << i;
    const std::u32string expected = characters(text);
    ASSERT_EQ(code_points(text), expected) << i;
    ASSERT_EQ(from_the_end(text), expected) << i;
    ASSERT_EQ(to_utf8(expected), text) << i << ": bytes are kept";
    ASSERT_EQ(code_point_count(text), static_cast<std::int64_t>(expected.size())) << i;
  }
}

// Eight bytes of ASCII are passed over at once.
TEST(Utf8, OneBadByteAnywhere) {
  const std::string good = "0123456789abcdef\u00e9ghijklm\u6c49nopqrstuvwxyz\U0001F600";
  std::string storage;
  EXPECT_EQ(valid_utf8(good, storage).data(), good.data()) << "itself";
  EXPECT_EQ(valid_utf8("", storage), "");
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string text = good;
    text[i] = '\xff';
    EXPECT_EQ(valid_utf8_prefix(text), valid_bytes(text)) << i;
    EXPECT_EQ(valid_utf8(text, storage), repaired(text)) << i;
    EXPECT_EQ(valid_utf8_prefix(std::string_view(good).substr(0, i)),
              valid_bytes(std::string_view(good).substr(0, i)));
  }
}

TEST(Utf8, CharactersAtTheBoundsOfTheirLengths) {
  for (const char* text :
       {"\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80"}) {
    EXPECT_EQ(code_point_count(text), 1) << text;
    EXPECT_EQ(to_utf8(code_points(text)), text);
    const std::string behind = std::string("a") + text;
    EXPECT_EQ(code_point_before(behind, behind.size()).bytes, behind.size() - 1);
  }
  for (const char* text : {"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x8f\xbf\xbf",
                           "\xe0\x9f\xbf", "\xed\xbf\xbf", "\xc1\xbf", "\xf0\x90\x80"}) {
    EXPECT_EQ(code_point_count(text), static_cast<std::int64_t>(std::string_view(text).size()));
    EXPECT_EQ(to_utf8(code_points(text)), text) << "bytes are kept";
    EXPECT_EQ(code_point_before(text, std::string_view(text).size()).bytes, 1U);
  }
}

TEST(Utf8, EveryCodePointIsReadAsItWasWritten) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text = "\u00e9";
    append_utf8(text, c);
    const std::uint32_t bytes = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    ASSERT_EQ(text.size(), 2 + bytes);
    ASSERT_EQ(decode_utf8(text, 2).value, c);
    ASSERT_EQ(decode_utf8(text, 2).bytes, bytes);
    ASSERT_EQ(code_point_at(text, 2).value, c);
    ASSERT_EQ(previous_utf8(text, text.size()), 2U);
  }
}

// A view may be a part of a longer text: what lies behind it is not read.
TEST(Utf8, ACutCharacterIsItsBytes) {
  const std::string_view text = "a\xc3\xa9\xe6\xb1\x89\xf0\x9f\x98\x80";
  for (std::size_t n = 0; n <= text.size(); ++n) {
    const std::string copy(text.substr(0, n));
    EXPECT_EQ(code_points(text.substr(0, n)), code_points(copy)) << n;
  }
}

}  // namespace
}  // namespace elastic
