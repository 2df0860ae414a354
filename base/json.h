#pragma once

// Reading small JSON (configs, manifests, log lines) with errors that name file, key and value.
// Large inputs (hundreds of MB) go through simdjson in datasets/.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace elastic {

using Json = nlohmann::ordered_json;  // keeps key order: what is written is what was built

/// Parses a whole file. Throws kNotFound / kIo when it cannot be read,
/// kCorrupt naming the byte offset.
Json read_json(const std::filesystem::path& path);

/// Parses text; `source` names it in errors ("runs/a/run.json", "line 12 of x.jsonl"). An object
/// with one key twice is kCorrupt: readers disagree on which of the values counts.
Json parse_json(std::string_view text, std::string_view source);

/// Escapes of half a surrogate pair (U+D83D alone), which some writers leave behind and JSON
/// readers refuse, become U+FFFD. True where there was one.
bool replace_lone_surrogates(std::string& text);

/// A JSON object together with the name of its source, for typed access with useful errors.
struct JsonSource {
  const Json& object;
  std::string source;
};

/// Typed access; throws kCorrupt "SOURCE: key `k` is missing" / "... is STRING, expected a number".
/// T: bool, std::int64_t, double, std::string. Integers must be whole and in range.
template <typename T>
T json_get(const JsonSource& in, std::string_view key);

/// The same with a default where the key is absent or null.
template <typename T>
T json_get_or(const JsonSource& in, std::string_view key, T fallback);

/// Throws kInvalidArgument "SOURCE: unknown key `k` ..." with suggestions for the first key of the
/// object that is not among `known`.
void refuse_unknown_keys(const JsonSource& in, const std::vector<std::string>& known);

/// One line, UTF-8 unescaped, invalid UTF-8 replaced; NaN and infinity become null.
std::string dump_line(const Json& value);

/// Two-space indented, final newline.
std::string dump_pretty(const Json& value);

}  // namespace elastic
