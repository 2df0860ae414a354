#pragma once

// Streaming reader of JSON lines: one object per line, memory of one line at a time, errors that
// name the file and the line. Takes what writers in the field produce: LF or CRLF, a byte-order
// mark at the start, blank lines. A last line that is cut off (no line end, not valid JSON) is its
// own error, so that a half-written file is told from a broken one.
//
//   JsonlReader rows("pred/vt.jsonl");
//   while (auto row = rows.next()) use(json_get<std::string>({*row, rows.where()}, "pred"));

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "base/json.h"

namespace elastic::datasets {

/// Bytes of one line beyond which a file is refused; the longest real rows (1 M tokens of text,
/// escaped) stay below a tenth of it.
inline constexpr std::size_t kMaxJsonlLine = std::size_t{256} << 20;

/// Escapes of half a surrogate pair: no JSON, but written by Python and read by it again.
enum class LoneSurrogates { kRefuse, kReplace };

class JsonlReader {
 public:
  /// `-` is standard input. Throws as require_file().
  explicit JsonlReader(const std::filesystem::path& path,
                       std::size_t max_line_bytes = kMaxJsonlLine,
                       LoneSurrogates surrogates = LoneSurrogates::kRefuse);
  JsonlReader(const JsonlReader&) = delete;
  JsonlReader& operator=(const JsonlReader&) = delete;

  /// The next object, nothing at the end. Throws kCorrupt where a line is not one JSON object in
  /// valid UTF-8, is longer than the bound, or is cut off.
  std::optional<Json> next();

  /// 1-based number of the line last returned.
  std::int64_t line() const { return line_; }

  /// "pred/vt.jsonl, line 12".
  std::string where() const;

 private:
  // False at the end. `complete`: the line ended in a line feed.
  bool read_line(std::string& text, bool& complete);

  std::string name_;
  std::size_t max_line_bytes_;
  LoneSurrogates surrogates_;
  std::ifstream file_;
  std::istream* in_;
  std::string buffer_;
  std::size_t position_ = 0;
  std::int64_t line_ = 0;
};

}  // namespace elastic::datasets
