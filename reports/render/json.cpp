#include "reports/render/render.h"

namespace elastic::reports {
namespace {

Json json_value(const Value& value) {
  return std::visit(
      [](const auto& held) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::monostate>) {
          return nullptr;
        } else {
          return held;
        }
      },
      value);
}

// One row a line: a head-routing sheet has thousands.
std::string rows_json(const Sheet& sheet) {
  std::string text =
      "{\n  \"schema_version\": " + std::to_string(runs::kSchemaVersion) + ",\n  \"rows\": [";
  for (std::size_t i = 0; i < sheet.rows.size(); ++i) {
    Json row = Json::object();
    for (std::size_t k = 0; k < sheet.columns.size(); ++k) {
      row[sheet.columns[k].key] = json_value(sheet.rows[i][k]);
    }
    text += (i > 0 ? ",\n    " : "\n    ") + dump_line(row);
  }
  return text + (sheet.rows.empty() ? "]\n}\n" : "\n  ]\n}\n");
}

}  // namespace

std::vector<OutputFile> render_json(std::span<const Document> documents) {
  std::vector<OutputFile> files;
  for (const Document& document : documents) {
    for (const Sheet& sheet : document.sheets) {
      files.push_back({file_stem(sheet.id) + ".json",
                       sheet.nested.is_null() ? rows_json(sheet) : dump_pretty(sheet.nested)});
    }
  }
  return files;
}

}  // namespace elastic::reports
