// The classes of characters against PCRE2's and utf8proc's.

#include "engine/tokenizer/char_class.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "engine/tokenizer/regex.h"

namespace elastic::engine {
namespace {

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
