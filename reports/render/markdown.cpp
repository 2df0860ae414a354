#include <algorithm>

#include "base/text.h"
#include "base/unicode.h"
#include "reports/render/render.h"

namespace elastic::reports {
namespace {

// Text inside a table cell: no character may end the cell or open markup.
std::string escape_markdown(std::string_view text) {
  std::string out;
  for (const char c : visible(text)) {
    if (c == '\n' || c == '\r' || c == '\t') {
      out += ' ';
    } else if (c == '<') {
      out += "&lt;";
    } else {
      if (c == '|' || c == '\\' || c == '`' || c == '*' || c == '[') out += '\\';
      out += c;
    }
  }
  return out;
}

std::string markdown_cell(const Table& table, const Cell& cell, const Column& column) {
  std::string text = escape_markdown(display(cell.value, column.digits));
  if (cell.strong && !std::holds_alternative<std::monostate>(cell.value)) text = "**" + text + "**";
  if (cell.interval) {
    text += " (" + interval_text(*cell.interval, column.digits, "-") + ")";
  }
  const std::string count = count_note(table, cell);
  if (!count.empty()) text += (count.starts_with('n') ? " " : " n ") + count;
  return text;
}

bool numeric(const Table& table, std::size_t column) {
  return std::none_of(table.rows.begin(), table.rows.end(), [&](const std::vector<Cell>& row) {
    return std::holds_alternative<std::string>(row[column].value);
  });
}

// Columns on a terminal: code points, which is right for the few non-ASCII characters in use.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string padded(const std::string& text, std::size_t to, bool right) {
  const std::string fill(to - width(text), ' ');
  return right ? fill + text : text + fill;
}

}  // namespace

std::string markdown_table(const Table& table) {
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : table.columns)
    lines[0].push_back(escape_markdown(column_title(column)));
  for (const std::vector<Cell>& row : table.rows) {
    lines.emplace_back();
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      lines.back().push_back(markdown_cell(table, row[i], table.columns[i]));
    }
  }
  std::vector<std::size_t> widths(table.columns.size(), 3);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  }
  std::string text;
  for (std::size_t k = 0; k < lines.size(); ++k) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      text += "| " + padded(lines[k][i], widths[i], numeric(table, i)) + " ";
    }
    text += "|\n";
    if (k > 0) continue;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      text += numeric(table, i) ? "|" + std::string(widths[i] + 1, '-') + ":"
                                : "|" + std::string(widths[i] + 2, '-');
    }
    text += "|\n";
  }
  return text;
}

std::vector<OutputFile> render_markdown(std::span<const Document> documents) {
  std::vector<OutputFile> files;
  for (const Document& document : documents) {
    for (const Table& table : document.tables) {
      std::string text = "## " + escape_markdown(table.title) + "\n\n" + markdown_table(table);
      if (!table.caption.empty()) text += "\n" + escape_markdown(table.caption) + "\n";
      files.push_back({"tables/" + file_stem(table.id) + ".md", std::move(text)});
    }
  }
  return files;
}

}  // namespace elastic::reports
