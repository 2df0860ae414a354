#include "base/unicode.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/hash.h"

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

TEST(unicode, counts_characters_not_bytes) {
  EXPECT_EQ(code_point_count("aé漢😀"), 4);
  EXPECT_EQ(code_point_count(""), 0);
}

TEST(unicode, bytes_that_are_not_utf8_stay_as_they_are) {
  const std::string broken = "A\xff\xc3 \xe2\x82";
  EXPECT_EQ(code_point_count(broken), 6);
  EXPECT_EQ(lower_case(broken), "a\xff\xc3 \xe2\x82");
  EXPECT_EQ(strip_white_space(" \xa0 "), "\xa0");
  EXPECT_EQ(code_point_count("\xed\xa0\x80"), 3);  // an encoded surrogate
  EXPECT_EQ(code_point_count("\xc0\x80"), 2);      // an overlong form
}

TEST(unicode, characters_at_the_bounds_of_their_lengths) {
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

TEST(unicode, classes) {
  EXPECT_TRUE(is_upper('A') && is_lower('a') && !is_upper('1'));
  EXPECT_FALSE(is_upper(0x1c5) || is_lower(0x1c5));  // a title-case letter is neither
  EXPECT_TRUE(is_decimal_digit(0x0665) && !is_decimal_digit(0x00b2));
  EXPECT_TRUE(is_word('_') && is_word(0x00b2) && !is_word('-'));
  EXPECT_TRUE(is_printable(' ') && !is_printable(0xa0) && !is_printable('\n'));
}

}  // namespace
}  // namespace elastic
