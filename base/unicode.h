#pragma once

// Text as Python's str methods see it, over UTF-8: white space, strip, split, lower(), and the
// character classes of its regular expressions (Unicode 14; is_word and is_printable go by the
// tables of utf8proc). A byte that is not UTF-8 is a character (base/utf8.h) without properties and
// is kept as it is.
//
//   std::vector<std::string_view> words = split_white_space(text);   // str.split()

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace elastic {

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
