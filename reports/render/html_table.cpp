#include <fmt/format.h>

#include <algorithm>

#include "reports/render/html_parts.h"
#include "reports/render/render.h"

namespace elastic::reports {
namespace {

bool numeric_column(const Table& table, std::size_t column) {
  return std::none_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
    return std::holds_alternative<std::string>(row[column].value);
  });
}

// The value with all its digits, for the CSV button.
std::string raw(const Value& value) {
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  return std::holds_alternative<std::monostate>(value) ? "" : display(value, 0);
}

// `again`: the same text as in the row above, shown faintly.
std::string cell_html(const Cell& cell, const Column& column, bool numeric, bool again,
                      const std::string& count) {
  const std::string text = display(cell.value, column.digits);
  std::string classes = numeric ? "num" : "";
  if (again) classes += " again";
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
    html += "<small>" + interval_text(*cell.interval, column.digits, "–") + "</small>";
  }
  if (cell.n < cell.planned) {
    html += "<small><span class=\"gap\">" + count + "</span></small>";
  } else if (!count.empty()) {
    html += "<small>" + count + "</small>";
  }
  return html + "</td>";
}

// Whether this row repeats the one above from its first column up to and including this one.
bool labels_above_agree(const Table& table, std::size_t row, std::size_t column) {
  for (std::size_t i = 0; i <= column; ++i) {
    if (table.rows[row][i].value != table.rows[row - 1][i].value) return false;
  }
  return true;
}

}  // namespace

Json filter_json(const SampleFilter& filter) {
  Json out = {{"run", filter.run}};
  if (!filter.model.empty()) out["model"] = filter.model;
  if (!filter.mode.empty()) out["mode"] = filter.mode;
  if (!filter.task.empty()) out["task"] = filter.task;
  if (filter.length && *filter.length != 0) out["length"] = *filter.length;
  if (filter.depth) out["depth"] = *filter.depth;
  if (!filter.stratum.empty()) out["stratum"] = filter.stratum;
  return out;
}

std::string script_json(const Json& value) {
  const std::string text = dump_line(value);
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {  // both occur inside JSON strings only
    if (c == '<') {
      out += "\\u003c";
    } else if (c == '>') {
      out += "\\u003e";
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
  // The caption stands outside the table, so that a narrow table does not squeeze it.
  const std::string id = file_stem(table.id);
  html += fmt::format(
      "<div class=\"body\"><p class=\"caption\" id=\"caption-{}\">{} {}</p>\n<div class=\"scroll\" "
      "role=\"region\" tabindex=\"0\" aria-label=\"Table {}. {}\">"
      "<table id=\"table-{}\" aria-labelledby=\"caption-{}\">\n",
      id, table.folded ? "" : name, escape_html(table.caption), number, escape_html(table.title),
      id, id);
  std::vector<bool> numeric;
  html += "<thead><tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    numeric.push_back(numeric_column(table, i));
    const std::string title = column_title(table.columns[i]);
    std::string classes = numeric[i] ? "num" : "";
    if (title.size() > kLongText) classes += classes.empty() ? "long" : " long";
    html += fmt::format("<th scope=\"col\"{}>{}</th>",
                        classes.empty() ? "" : fmt::format(" class=\"{}\"", classes),
                        escape_html(title));
  }
  html += "</tr></thead>\n<tbody>\n";
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const bool rule = std::find(table.rules.begin(), table.rules.end(), row) != table.rules.end();
    html += rule ? "<tr class=\"rule\">" : "<tr>";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const Cell& cell = table.rows[row][i];
      const bool again = row > 0 && !rule && std::holds_alternative<std::string>(cell.value) &&
                         labels_above_agree(table, row, i);
      html += cell_html(cell, table.columns[i], numeric[i], again, count_note(table, cell));
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div></div>" + (table.folded ? "</details>\n" : "</div>\n");
}

}  // namespace elastic::reports
