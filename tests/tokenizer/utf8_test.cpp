// UTF-8 of tokenizers and the classes of characters against tables of their own.

#include "engine/tokenizer/utf8.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/char_class.h"
#include "engine/tokenizer/regex.h"

namespace elastic::engine {
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

TEST(Utf8, IllFormedPartsAreThoseOfTheStandardsTable) {
  const std::string bytes =
      "a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc1\xc2\xdf\xe0\xe1\xed\xee\xef"
      "\xf0\xf1\xf3\xf4\xf5\xff";
  const std::size_t n = bytes.size();
  for (std::size_t i = 0; i < n * n * n * n; ++i) {
    const std::string whole = {bytes[i % n], bytes[i / n % n], bytes[i / n / n % n],
                               bytes[i / n / n / n], '\x80'};
    const std::string_view text = std::string_view(whole).substr(0, 4);
    ASSERT_EQ(valid_utf8_prefix(text), valid_bytes(text)) << i;
    std::string storage = "old";
    ASSERT_EQ(valid_utf8(text, storage), repaired(text)) << i;
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

TEST(Utf8, EveryCodePointIsReadAsItWasWritten) {
  for (std::uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text = "\u00e9";
    append_utf8(text, c);
    utf8proc_uint8_t expected[4];
    const auto bytes = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), expected);
    ASSERT_EQ(text.substr(2), std::string(expected, expected + bytes)) << c;
    ASSERT_EQ(decode_utf8(text, 2).value, c);
    ASSERT_EQ(decode_utf8(text, 2).length, static_cast<std::uint32_t>(bytes));
    ASSERT_EQ(previous_utf8(text, text.size()), 2U);
  }
}

bool matches(const Regex& regex, std::string_view text) {
  bool any = false;
  regex.for_each_match(text, [&](std::size_t, std::size_t) { any = true; });
  return any;
}

// Where PCRE2's version of Unicode knows the character at all.
TEST(CharClasses, AreThePropertiesOfUnicode) {
  const Regex known("\\P{Cn}", "t");
  const std::pair<std::uint8_t, Regex> classes[] = {
      {kLetter, Regex("\\p{L}", "t")},
      {kNumber, Regex("\\p{N}", "t")},
      {kSpace, Regex("[\\x{9}-\\x{d}\\x{85}\\p{Z}]", "t")},
      {kNewline, Regex("[\\r\\n]", "t")},
      {kWord, Regex("[\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200c}\\x{200d}]", "t")}};
  for (std::uint32_t c = 0; c < 0x30000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_utf8(text, c);
    if (!matches(known, text)) continue;
    for (const auto& [flag, regex] : classes) {
      ASSERT_EQ((char_classes()[c] & flag) != 0, matches(regex, text)) << c << " " << int{flag};
    }
  }
}

std::string nfc(const std::string& text) {
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> made(
      utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>(text.c_str())), &std::free);
  return reinterpret_cast<const char*>(made.get());
}

// Behind a letter, a mark and Hangul, at offsets around the eight bytes that are taken at once.
TEST(CharClasses, NfcOfEveryCodePointBesideOthers) {
  const std::vector<std::string> before = {"",       "e",       "e\u0327", "\u1112\u1161",
                                           "\uac00", "1234567", "12345678"};
  for (std::uint32_t c = 1; c < 0x30000; ++c) {
    if ((c >= 0xD800 && c < 0xE000) || c == 0x11A7) continue;  // which utf8proc 2.8 wrongly drops
    for (std::size_t i = c % 2; i < before.size(); i += 2) {
      std::string text = before[i], storage = "old";
      append_utf8(text, c);
      text += c % 3 == 0 ? "\u0301a" : "a";
      ASSERT_EQ(to_nfc(text, storage), nfc(text)) << c << " behind " << before[i];
    }
  }
}

// Only such characters are left to the library.
TEST(CharClasses, WhatMayChangeInNfc) {
  std::string flagged;
  for (std::uint32_t c = 0; c < 0x1200; ++c) {
    if ((char_classes()[c] & kMayChangeInNfc) != 0) flagged += std::to_string(c) + " ";
  }
  EXPECT_EQ(flagged.substr(0, 24), "768 769 770 771 772 773 ");
  for (const std::uint32_t c : {0x1161U, 0x1175U, 0x11A8U, 0x11C2U, 0x212BU, 0x0958U, 0x09BEU}) {
    EXPECT_TRUE(char_classes()[c] & kMayChangeInNfc) << c;
  }
  for (const std::uint32_t c :
       {0x41U, 0xE9U, 0x1100U, 0x1160U, 0x1176U, 0x11C3U, 0xAC00U, 0x6C49U, 0xFB01U, 0xB2U}) {
    EXPECT_FALSE(char_classes()[c] & kMayChangeInNfc) << c;
  }
  std::string storage;
  const std::string settled = "caf\u00e9 \uac00 \u6c49 \ufb01 \u00b2";
  EXPECT_EQ(to_nfc(settled, storage).data(), settled.data());
}

}  // namespace
}  // namespace elastic::engine
