#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "reports/render/render.h"

namespace elastic::reports {

std::string display(const Value& value, int digits) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "yes" : "no";
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:.{}f}", *real, digits);
  return "–";
}

std::string column_title(const Column& column) {
  return column.title.empty() ? column.key : column.title;
}

std::string interval_text(const runs::Interval& interval, int digits, std::string_view dash) {
  return fmt::format("{:.{}f}{}{:.{}f}", interval.low, digits, interval.low < 0 ? " to " : dash,
                     interval.high, digits);
}

std::string count_note(const Table& table, const Cell& cell) {
  if (cell.n < cell.planned) return fmt::format("{} of {}", cell.n, cell.planned);
  if (cell.n == 0) return "";
  for (const auto& row : table.rows) {
    for (const Cell& other : row) {
      if (other.n > 0 && other.n != cell.n) return fmt::format("n {}", cell.n);
    }
  }
  return "";
}

std::string file_stem(std::string_view id) {
  std::string stem(id);
  for (char& c : stem) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (!plain && c != '-') c = '_';
  }
  return stem.empty() ? "_" : stem;
}

}  // namespace elastic::reports
