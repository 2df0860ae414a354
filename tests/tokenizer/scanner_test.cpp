// The hand-written scanners against the regular expressions that they stand for.

#include "engine/tokenizer/scanner.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "engine/tokenizer/regex.h"

namespace elastic::engine {
namespace {

template <ScanKind Kind>
std::vector<std::string> by_scanner(const std::string& text) {
  std::vector<std::string> words;
  scan_words<Kind>(text, [&](std::size_t begin, std::size_t end) {
    words.push_back(text.substr(begin, end - begin));
  });
  return words;
}

std::vector<std::string> by_regex(const Regex& regex, const std::string& text) {
  std::vector<std::string> words;
  regex.for_each_match(text, [&](std::size_t begin, std::size_t end) {
    words.push_back(text.substr(begin, end - begin));
  });
  return words;
}

// Code points on which utf8proc's and PCRE2's versions of Unicode agree.
bool same_in_both(std::uint32_t c) {
  static const Regex letter("\\p{L}", "test"), number("\\p{N}", "test");
  std::string text;
  append_utf8(text, c);
  const std::uint8_t flags = char_classes()[c];
  return by_regex(letter, text).empty() != ((flags & kLetter) != 0) &&
         by_regex(number, text).empty() != ((flags & kNumber) != 0);
}

// Short texts of few kinds of characters meet every branch; any code point may come too.
std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> kParts = {"a",
                                                  "Z",
                                                  "'",
                                                  "'s",
                                                  "'LL",
                                                  "'re",
                                                  "\xC5\xBF",
                                                  " ",
                                                  "  ",
                                                  "\n",
                                                  "\r",
                                                  "\t",
                                                  "1",
                                                  "23",
                                                  ".",
                                                  "-",
                                                  "_",
                                                  "é",
                                                  "河",
                                                  "\xE2\x80\xA8",
                                                  "\xC2\x85",
                                                  "\xC2\xA0",
                                                  "e\xCC\x81",
                                                  "\xE3\x80\x80",
                                                  "\xE1\xA0\x8E",
                                                  "²",
                                                  "\xF0\x9F\x98\x80"};
  std::string text;
  for (int n = static_cast<int>(random() % 14); n > 0; --n) {
    std::uint32_t c = random() % 0x30000;
    if (random() % 8 != 0 || (c >= 0xD800 && c < 0xE000) || !same_in_both(c)) {
      text += kParts[random() % kParts.size()];
    } else {
      append_utf8(text, c);
    }
  }
  return text;
}

template <ScanKind Kind>
void expect_equal_on_random_text() {
  const Regex regex(pattern_of(Kind), "test");
  std::mt19937 random(20 + static_cast<unsigned>(Kind));
  for (int i = 0; i < 20000; ++i) {
    const std::string text = random_text(random);
    ASSERT_EQ(by_scanner<Kind>(text), by_regex(regex, text)) << "text " << i << ": " << text;
  }
}

TEST(Scanner, Gpt2EqualsItsPattern) { expect_equal_on_random_text<ScanKind::kGpt2>(); }
TEST(Scanner, Llama3EqualsItsPattern) { expect_equal_on_random_text<ScanKind::kLlama3>(); }
TEST(Scanner, Qwen2EqualsItsPattern) { expect_equal_on_random_text<ScanKind::kQwen2>(); }

TEST(CharClasses, NfcIsThatOfTheLibrary) {
  // to_nfc leaves a text alone after a quick check;
  // here it is compared with normalizing everything.
  std::mt19937 random(3);
  const std::vector<std::uint32_t> bases = {'e',    0x1112, 0x1161, 0x11A8, 0xAC00, 0x09C7, 0x212B,
                                            0x4E00, 0x0041, 0x1E0A, 0x0327, 0x0307, 0x0301, 0x09BE};
  for (int i = 0; i < 100000; ++i) {
    std::string text, storage;
    for (int n = i % 8; n >= 0; --n) {
      const std::uint32_t any = 1 + random() % 0x30FF;
      const bool common = random() % 4 != 0 || any == 0x11A7;  // which utf8proc 2.8 wrongly drops
      append_utf8(text, common ? bases[random() % bases.size()] : any);
    }
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> expected(
        utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>(text.c_str())), &std::free);
    ASSERT_EQ(to_nfc(text, storage), reinterpret_cast<const char*>(expected.get())) << text;
  }
}

}  // namespace
}  // namespace elastic::engine
