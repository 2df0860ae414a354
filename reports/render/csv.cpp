#include "base/csv.h"

#include <fmt/format.h>

#include "reports/render/render.h"

namespace elastic::reports {
namespace {

std::string field(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return csv_text(*text);
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  return "";
}

}  // namespace

std::vector<OutputFile> render_csv(std::span<const Document> documents) {
  std::vector<OutputFile> files;
  for (const Document& document : documents) {
    for (const Sheet& sheet : document.sheets) {
      std::string text;
      for (std::size_t i = 0; i < sheet.columns.size(); ++i) {
        text += (i > 0 ? "," : "") + csv_text(sheet.columns[i].key);
      }
      text += '\n';
      for (const std::vector<Value>& row : sheet.rows) {
        for (std::size_t i = 0; i < row.size(); ++i) text += (i > 0 ? "," : "") + field(row[i]);
        text += '\n';
      }
      files.push_back({file_stem(sheet.id) + ".csv", std::move(text)});
    }
  }
  return files;
}

}  // namespace elastic::reports
