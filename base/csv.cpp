#include "base/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "base/text.h"
#include "base/unicode.h"

namespace elastic {
namespace {

// Reads one field at `at`, which ends up on the separator, line end or end of the text.
class CsvReader {
 public:
  CsvReader(std::string_view text, std::string_view source) : text_(text), source_(source) {}

  std::vector<std::vector<std::string>> rows() {
    std::vector<std::vector<std::string>> rows;
    while (at_ < text_.size()) {
      std::vector<std::string> row = {field()};
      while (at_ < text_.size() && text_[at_] == ',') {
        ++at_;
        row.push_back(field());
      }
      skip_line_end();
      if (row.size() > 1 || !row[0].empty()) rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  std::string field() {
    if (at_ < text_.size() && text_[at_] == '"') return quoted_field();
    const std::size_t end = std::min(text_.find_first_of(",\n\r", at_), text_.size());
    std::string value(text_.substr(at_, end - at_));
    at_ = end;
    return value;
  }

  std::string quoted_field() {
    const std::int64_t opened = line_;
    std::string value;
    ++at_;
    while (true) {
      const std::size_t quote = text_.find('"', at_);
      if (quote == std::string_view::npos) fail(opened, "a quote is not closed");
      for (const char c : text_.substr(at_, quote - at_)) line_ += c == '\n' ? 1 : 0;
      value += text_.substr(at_, quote - at_);
      at_ = quote + 1;
      if (at_ >= text_.size() || text_[at_] != '"') break;
      value += '"';
      ++at_;
    }
    if (at_ < text_.size() &&
        std::string_view(",\n\r").find(text_[at_]) == std::string_view::npos) {
      fail(line_, "text after a closing quote");
    }
    return value;
  }

  void skip_line_end() {
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ < text_.size() && text_[at_] == '\n') ++at_;
    ++line_;
  }

  [[noreturn]] void fail(std::int64_t line, std::string_view what) const {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}, line {}: CSV: {}", source_, line, what));
  }

  std::string_view text_;
  std::string_view source_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

}  // namespace

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\n") == std::string_view::npos) return std::string(text);
  return '"' + replace_all(text, "\"", "\"\"") + '"';
}

std::string csv_text(std::string_view text) {
  const bool formula = !text.empty() && std::string_view("=+-@\t").find(text[0]) != text.npos;
  return csv_field((formula ? "'" : "") + visible(text));
}

std::vector<std::vector<std::string>> parse_csv(std::string_view text, std::string_view source) {
  return CsvReader(text, source).rows();
}

}  // namespace elastic
