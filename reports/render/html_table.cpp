#include <fmt/format.h>

#include <algorithm>

#include "reports/render/html_parts.h"
#include "reports/render/render.h"

namespace elastic::reports {
namespace {

constexpr std::size_t kLongText = 46;  // longer cells wrap

bool is_number(const Value& value) {
  return std::holds_alternative<double>(value) || std::holds_alternative<std::int64_t>(value);
}

bool numeric_column(const Table& table, std::size_t column) {
  return std::any_of(table.rows.begin(), table.rows.end(),
                     [&](const auto& row) { return is_number(row[column].value); });
}

// The value with all its digits, for the CSV button.
std::string raw(const Value& value) {
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  return std::holds_alternative<std::monostate>(value) ? "" : display(value, 0);
}

std::string cell_html(const Cell& cell, const Column& column, bool numeric) {
  const std::string text = display(cell.value, column.digits);
  std::string classes = numeric ? "num" : "";
  if (cell.shade) classes += " heat";
  if (!numeric && text.size() > kLongText) classes += " long";
  std::string html = "<td";
  if (!classes.empty()) html += fmt::format(" class=\"{}\"", classes);
  if (cell.shade) html += fmt::format(" style=\"--s:{:.3f}\"", std::clamp(*cell.shade, 0.0, 1.0));
  if (cell.samples) {
    html += fmt::format(" data-f=\"{}\"", escape_html(dump_line(filter_json(*cell.samples))));
  }
  html += fmt::format(" data-v=\"{}\">", escape_html(raw(cell.value)));
  const bool strong = cell.strong && !std::holds_alternative<std::monostate>(cell.value);
  html += (strong ? "<b>" : "") + escape_html(text) + (strong ? "</b>" : "");
  if (cell.interval) {
    html += fmt::format("<small>{:.{}f}–{:.{}f}</small>", cell.interval->low, column.digits,
                        cell.interval->high, column.digits);
  }
  if (cell.n < cell.planned) {
    html += fmt::format("<small class=\"missing-samples\">{} of {}</small>", cell.n, cell.planned);
  }
  return html + "</td>";
}

}  // namespace

Json filter_json(const SampleFilter& filter) {
  Json out = {{"run", filter.run}};
  if (!filter.model.empty()) out["model"] = filter.model;
  if (!filter.mode.empty()) out["mode"] = filter.mode;
  if (!filter.task.empty()) out["task"] = filter.task;
  if (filter.length && *filter.length != 0) out["length"] = *filter.length;
  if (filter.depth) out["depth"] = *filter.depth;
  return out;
}

std::string script_json(const Json& value) {
  const std::string text = dump_line(value);
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '<') {
      out += "\\u003c";  // inside a JSON string, the only place a `<` can be
    } else {
      out += c;
    }
  }
  return out;
}

std::string html_table(const Table& table, int number) {
  const std::string name = fmt::format("<b>Table {}. {}.</b>", number, escape_html(table.title));
  std::string html = table.folded
                         ? fmt::format("<details class=\"table\"><summary>{}</summary>", name)
                         : "<div class=\"table\">";
  html += fmt::format(
      "<div class=\"body\"><div class=\"scroll\"><table id=\"table-{}\"><caption>{} {}</caption>\n",
      escape_html(file_stem(table.id)), table.folded ? "" : name, escape_html(table.caption));
  std::vector<bool> numeric;
  html += "<thead><tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    numeric.push_back(numeric_column(table, i));
    html += fmt::format("<th scope=\"col\"{}>{}</th>", numeric[i] ? " class=\"num\"" : "",
                        escape_html(column_title(table.columns[i])));
  }
  html += "</tr></thead>\n<tbody>\n";
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const bool rule = std::find(table.rules.begin(), table.rules.end(), row) != table.rules.end();
    html += rule ? "<tr class=\"rule\">" : "<tr>";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      html += cell_html(table.rows[row][i], table.columns[i], numeric[i]);
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div></div>" + (table.folded ? "</details>\n" : "</div>\n");
}

}  // namespace elastic::reports
