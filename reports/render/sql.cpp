#include <fmt/format.h>

#include "base/text.h"
#include "reports/render/render.h"

namespace elastic::reports {
namespace {

std::string name(std::string_view text) { return '"' + replace_all(text, "\"", "\"\"") + '"'; }

// A zero byte would end the statement for SQLite's shell.
std::string literal(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return '\'' + replace_all(replace_all(*text, "'", "''"), std::string_view("\0", 1), "") + '\'';
  }
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "1" : "0";
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  return "NULL";
}

// Of all its values: whole numbers may stand among real ones.
const char* type_of(const Sheet& sheet, std::size_t column) {
  const char* type = "INTEGER";
  for (const std::vector<Value>& row : sheet.rows) {
    if (std::holds_alternative<std::string>(row[column])) return "TEXT";
    if (std::holds_alternative<double>(row[column])) type = "REAL";
  }
  return type;
}

std::string table_of(const Sheet& sheet) {
  const std::string table = name(file_stem(sheet.id));
  std::vector<std::string> columns;
  for (std::size_t i = 0; i < sheet.columns.size(); ++i) {
    columns.push_back(name(sheet.columns[i].key) + ' ' + type_of(sheet, i));
  }
  std::string text = fmt::format("DROP TABLE IF EXISTS {};\nCREATE TABLE {} ({});\n", table, table,
                                 join(columns, ", "));
  for (const std::vector<Value>& row : sheet.rows) {
    std::vector<std::string> values;
    values.reserve(row.size());
    for (const Value& value : row) values.push_back(literal(value));
    text += fmt::format("INSERT INTO {} VALUES ({});\n", table, join(values, ", "));
  }
  return text;
}

}  // namespace

std::vector<OutputFile> render_sql(std::span<const Document> documents) {
  std::string text;
  for (const Document& document : documents) {
    for (const Sheet& sheet : document.sheets) text += table_of(sheet);
  }
  if (text.empty()) return {};
  return {{"report.sql", "BEGIN;\n" + text + "COMMIT;\n"}};
}

}  // namespace elastic::reports
