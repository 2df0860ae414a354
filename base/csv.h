#pragma once

// Comma-separated values (RFC 4180): a field is quoted where it must be, quotes are doubled.
//
//   line += csv_field(name) + "," + csv_field(text) + "\n";
//   for (const std::vector<std::string>& row : parse_csv(read_file(path), path.string())) ...

#include <string>
#include <string_view>
#include <vector>

namespace elastic {

/// The field as it stands in a file: in quotes where it holds a comma, a quote or a line feed.
std::string csv_field(std::string_view text);

/// A text from elsewhere as a field: unprintable characters spelt out (visible()), and a `'` before
/// one that a spreadsheet would run as a formula: first character = + - @ or tab.
std::string csv_text(std::string_view text);

/// All rows; line ends LF or CRLF, a final one optional, empty lines left out. Throws kCorrupt
/// naming `source` and the line: an unclosed quote, text after a closing one.
std::vector<std::vector<std::string>> parse_csv(std::string_view text, std::string_view source);

}  // namespace elastic
