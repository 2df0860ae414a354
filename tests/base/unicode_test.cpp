#include "base/unicode.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/unicode_tables.h"
#include "base/utf8.h"

namespace elastic {
namespace {

TEST(unicode, lower_case_of_plain_and_accented_letters) {
  EXPECT_EQ(lower_case("ABC xyz 1"), "abc xyz 1");
  EXPECT_EQ(lower_case("ÄÖÜ ŻÓŁĆ Ж"), "äöü żółć ж");
  EXPECT_EQ(lower_case("ẞ"), "ß");
  EXPECT_EQ(lower_case("İ"), "i\u0307");
}

TEST(unicode, what_a_terminal_would_obey_is_spelt_out) {
  EXPECT_EQ(visible("a b\tc\nd äöü 汉字 ×·Δ–"), "a b\tc\nd äöü 汉字 ×·Δ–");
  EXPECT_EQ(visible("\x1b[2J\x1b]0;title\x07"), "\\x1b[2J\\x1b]0;title\\x07");
  EXPECT_EQ(visible("a\rb\x7f\b"), "a\\x0db\\x7f\\x08");
  EXPECT_EQ(visible(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(visible("\xc2\x9b"
                    "31m"),
            "\\u009b31m");  // a control sequence in one character
  EXPECT_EQ(visible("\u202egpj.exe\u2066"),
            "\\u202egpj.exe\\u2066");  // text set from right to left
  EXPECT_EQ(visible("\U000e0041"), "\\U000e0041");
  EXPECT_EQ(visible("\xff\xfe"), "\\xff\\xfe");
}

TEST(unicode, final_sigma_looks_past_ignorable_characters) {
  EXPECT_EQ(lower_case("ΟΔΟΣ"), "οδος");
  EXPECT_EQ(lower_case("ΟΔΟΣ."), "οδος.");
  EXPECT_EQ(lower_case("ΣΑ"), "σα");
  EXPECT_EQ(lower_case("Α'Σ'Α"), "α'σ'α");
  EXPECT_EQ(lower_case("Σ"), "σ");
}

TEST(unicode, white_space_is_more_than_ascii) {
  EXPECT_EQ(strip_white_space("\u2003\x1f a \u3000"), "a");
  EXPECT_EQ(strip_white_space(" \t"), "");
  EXPECT_EQ(split_white_space("  a\u00a0b\n\u2028c "),
            (std::vector<std::string_view>{"a", "b", "c"}));
  EXPECT_FALSE(is_space(0x200b));  // zero width space
}

TEST(unicode, bytes_that_are_not_utf8_stay_as_they_are) {
  const std::string broken = "A\xff\xc3 \xe2\x82";
  EXPECT_EQ(lower_case(broken), "a\xff\xc3 \xe2\x82");
  EXPECT_EQ(strip_white_space(" \xa0 "), "\xa0");
}

TEST(unicode, ascii_white_space_digits_and_letters_end_where_they_end) {
  std::string space, digits;
  for (char32_t c = 0; c < 0x80; ++c) {
    if (is_space(c)) space += static_cast<char>(c);
    if (is_decimal_digit(c)) digits += static_cast<char>(c);
  }
  EXPECT_EQ(space, "\t\n\v\f\r\x1c\x1d\x1e\x1f ");
  EXPECT_EQ(digits, "0123456789");
  EXPECT_EQ(lower_case("@AZ[`az{"), "@az[`az{");
}

TEST(unicode, final_sigma_needs_a_cased_letter_before_it) {
  EXPECT_EQ(lower_case("1Σ"), "1σ");
  EXPECT_EQ(lower_case("Α1Σ"), "α1σ") << "a digit is neither cased nor ignorable";
  EXPECT_EQ(lower_case("Α'Σ'1"), "α'ς'1");
}

// Of every code point: lower(), isspace(), isupper(), islower(), isdecimal(); the hash is that of
// the same lines written by Python 3.11 (Unicode 14.0.0).
TEST(unicode, every_code_point_is_what_python_says) {
  std::string lines;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    lines += lower_case(text);
    for (const bool property : {is_space(c), is_upper(c), is_lower(c), is_decimal_digit(c)}) {
      lines += property ? '1' : '0';
    }
    lines += '\n';
  }
  EXPECT_EQ(sha256_hex(lines), "1db68355be8dcc32ce8e52d77368512c9a33a0b698fa9986d89f85ccd8df367f");
}

// Of every code point: whether a sigma beside it is final, which tells cased characters and those
// that do not count from all others; the hash is Python 3.11's again.
TEST(unicode, every_code_point_beside_a_sigma_is_what_python_says) {
  std::string lines;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    lines += lower_case("A" + text + "Σ") + '\n';
    lines += lower_case("AΣ" + text) + '\n';
    lines += lower_case("AΣ" + text + "A") + '\n';
  }
  EXPECT_EQ(sha256_hex(lines), "91408cb6cf5f1f87fb8560b0f34d6f314051f55a555a0a2cf62c75ed3d1897d4");
}

// A view may be a part of a longer text: what lies behind it is not read.
TEST(unicode, every_beginning_of_a_text_stands_for_itself) {
  const std::string_view text = "ΑΣ'α  \u2003\xe2\x82 ΒΣ\u3000\u3000Σ b\xf0\x9f\x98";
  for (std::size_t n = 0; n <= text.size(); ++n) {
    const std::string_view part = text.substr(0, n);
    const std::string copy(part);
    EXPECT_EQ(lower_case(part), lower_case(copy)) << n;
    EXPECT_EQ(visible(part), visible(copy)) << n;
    EXPECT_EQ(strip_white_space(part), strip_white_space(copy)) << n;
    EXPECT_EQ(split_white_space(part), split_white_space(copy)) << n;
  }
}

TEST(unicode, one_character_of_every_category) {
  std::string word, printable;
  // Lu Ll Lt Lm Lo, Mn Mc Me, Nd Nl No, Pc Pd Ps Pe Pi Pf Po, Sm Sc Sk So, Zs Zl Zp, Cc Cf Cs Co Cn
  for (const char32_t c :
       {0x41, 0x61,   0x1c5,  0x2b0,  0x5d0,  0x301, 0x903, 0x488,  0x664,  0x2160,
        0xb2, 0x203f, 0x2d,   0x28,   0x29,   0xab,  0xbb,  0x21,   0x2b,   0x24,
        0x5e, 0xa9,   0x3000, 0x2028, 0x2029, 0x1f,  0xad,  0xd800, 0xe000, 0x378}) {
    word += is_word(c) ? '1' : '0';
    printable += is_printable(c) ? '1' : '0';
  }
  EXPECT_EQ(word,
            "11111"
            "000"
            "111"
            "0000000"
            "0000"
            "000"
            "00000");
  EXPECT_EQ(printable,
            "11111"
            "111"
            "111"
            "1111111"
            "1111"
            "000"
            "00000");
  EXPECT_EQ(visible("\uffff\U0001ffff\ufffd"), "\\uffff\\U0001ffff\ufffd");
}

template <typename Range>
void expect_normal_form(std::span<const Range> ranges) {
  std::int64_t before = -1;
  for (const Range& range : ranges) {
    const std::int64_t length = std::int64_t{range.last} - range.first;
    EXPECT_GT(std::int64_t{range.first}, before) << "ascending, not overlapping";
    EXPECT_EQ(length % range.stride, 0) << range.first << ": the last is one of them";
    EXPECT_TRUE(length > 0 || range.stride == 1) << range.first;
    before = range.last;
  }
}

TEST(unicode, tables_are_in_their_normal_form) {
  const UnicodeTables& tables = unicode_tables();
  expect_normal_form(tables.lower);
  for (const auto& ranges : {tables.upper_case, tables.lower_case, tables.title_case,
                             tables.case_ignorable, tables.space, tables.decimal_digit}) {
    expect_normal_form(ranges);
  }
}

TEST(unicode, classes) {
  EXPECT_TRUE(is_upper('A') && is_lower('a') && !is_upper('1'));
  EXPECT_FALSE(is_upper(0x1c5) || is_lower(0x1c5));  // a title-case letter is neither
  EXPECT_TRUE(is_decimal_digit(0x0665) && !is_decimal_digit(0x00b2));
  EXPECT_TRUE(is_word('_') && is_word(0x00b2) && !is_word('-'));
  EXPECT_TRUE(is_printable(' ') && !is_printable(0xa0) && !is_printable('\n'));
}

}  // namespace
}  // namespace elastic
