#pragma once

// Text as Python's str methods see it, over UTF-8: white space, strip, split, lower(), and the
// character classes of its regular expressions (Unicode 14; is_word and is_printable go by the
// tables of utf8proc). Bytes that are not UTF-8 count as one character each, U+DC80 + byte - 0x80,
// which has no property and is kept as it is.
//
//   std::vector<std::string_view> words = split_white_space(text);   // str.split()

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace elastic {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;  // its length in the text
};

/// The character that starts at `offset` < text.size().
CodePoint code_point_at(std::string_view text, std::size_t offset);

/// The character that ends before `offset` > 0.
CodePoint code_point_before(std::string_view text, std::size_t offset);

void append_utf8(std::string& text, char32_t code_point);

/// The characters of a text, for algorithms that index them; to_utf8() is its inverse.
std::u32string code_points(std::string_view text);
std::string to_utf8(std::u32string_view characters);

/// Number of characters, as len() counts them.
std::int64_t code_point_count(std::string_view text);

bool is_space(char32_t c);          // str.isspace, \s: 29 code points
bool is_upper(char32_t c);          // str.isupper of one character
bool is_lower(char32_t c);          // str.islower
bool is_decimal_digit(char32_t c);  // \d
bool is_word(char32_t c);           // \w: letters, numbers, underscore
bool is_printable(char32_t c);      // str.isprintable

/// Foreign text for a terminal or a document: what would be obeyed or not be seen is spelt out, as
/// "\x1b" (control characters and stray bytes), "\u202e" or "\U000e0001" (all that is not
/// printable). Line feeds and tabs stay.
std::string visible(std::string_view text);

/// str.strip()
std::string_view strip_white_space(std::string_view text);

/// str.split(): runs of white space separate, none at the ends.
std::vector<std::string_view> split_white_space(std::string_view text);

/// str.lower(): full mapping; U+0130 becomes two code points, a final capital sigma U+03C2.
std::string lower_case(std::string_view text);

}  // namespace elastic
