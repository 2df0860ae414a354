#pragma once

// Small text helpers over bytes. Unicode-aware ones (lower case,
// white space as Python sees it) are in base/unicode.h.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace elastic {

/// U+FEFF in UTF-8, which some editors put in front of a file.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Splits at every `separator`; "a,,b" has three parts, "" has one.
std::vector<std::string_view> split(std::string_view text, char separator);

/// A comma-separated list of the command line: parts stripped, empty parts dropped.
std::vector<std::string> split_list(std::string_view text);

/// Without ASCII white space at both ends.
std::string_view strip(std::string_view text);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// Every occurrence of `from` replaced, left to right, not rescanned.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

/// Whole text as a number, else nothing.
std::optional<std::int64_t> parse_int(std::string_view text);
std::optional<double> parse_double(std::string_view text);
/// A number from 0 to 1, else nothing.
std::optional<double> parse_share(std::string_view text);

/// Token counts as users write them: 4096, 4k, 8K, 1m (K = 1024).
/// Throws kInvalidArgument naming the text.
std::int64_t parse_length(std::string_view text);

/// 4096 -> "4k", 131072 -> "128k", 1048576 -> "1m", others as digits.
std::string format_length(std::int64_t tokens);

/// 1536 -> "1.5 KiB".
std::string format_bytes(std::int64_t bytes);

/// 75.2 -> "1 min 15 s", 0.8 -> "0.8 s".
std::string format_seconds(double seconds);

}  // namespace elastic
