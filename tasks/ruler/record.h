#pragma once

// One line of a RULER data file, byte for byte as upstream's generators write it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::tasks {

/// Upstream's two generations of generators: linear length search until spring 2025, binary since.
enum class Vintage { kGenA, kGenB };

struct RulerRecord {
  std::int64_t index = 0;
  std::string input;  // gen-A: with the answer prefix; gen-B: without
  std::vector<std::string> outputs;
  std::int64_t length = 0;                            // tokens of the whole prompt + answer budget
  std::string answer_prefix;                          // gen-B only
  std::optional<std::int64_t> token_position_answer;  // gen-B's needle tasks only
};

/// `{"index": 0, "input": "...", ...}` in upstream's key order, ASCII-escaped, without line end.
std::string record_line(const RulerRecord& record, Vintage vintage);

/// Reads such a line; `source` names it in errors. kCorrupt.
RulerRecord parse_record(std::string_view line, std::string_view source);

/// A JSON string literal as Python's json.dumps writes it: everything but printable ASCII as
/// \uXXXX, surrogate pairs beyond the BMP.
std::string ascii_json(std::string_view text);

/// A list of strings as Python's repr() shows it: ['a', "it's"].
std::string python_list(const std::vector<std::string>& items);

/// Newlines and tabs to blanks, runs of white space to one blank, none at the ends.
std::string one_line(std::string_view text);

}  // namespace elastic::tasks
