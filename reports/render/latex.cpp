#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/unicode.h"
#include "reports/render/render.h"

namespace elastic::reports {
namespace {

// The longest prefix of `text` with a replacement, else its first byte unchanged.
std::string escape_latex(std::string_view foreign) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 19> kReplacements{{
      {"\\", "\\textbackslash{}"},
      {"&", "\\&"},
      {"%", "\\%"},
      {"$", "\\$"},
      {"#", "\\#"},
      {"_", "\\_"},
      {"{", "\\{"},
      {"}", "\\}"},
      {"~", "\\textasciitilde{}"},
      {"^", "\\textasciicircum{}"},
      {"<", "\\textless{}"},
      {">", "\\textgreater{}"},
      {"\n", " "},
      {"\r", " "},
      {"×", "$\\times$"},
      {"·", "$\\cdot$"},
      {"Δ", "$\\Delta$"},
      {"–", "--"},
      {"…", "\\dots{}"},
  }};
  const std::string shown = visible(foreign);
  std::string_view text = shown;
  std::string out;
  while (!text.empty()) {
    const auto at = std::find_if(kReplacements.begin(), kReplacements.end(),
                                 [&](const auto& entry) { return text.starts_with(entry.first); });
    if (at == kReplacements.end()) {
      out += text.front();
      text.remove_prefix(1);
    } else {
      out += at->second;
      text.remove_prefix(at->first.size());
    }
  }
  return out;
}

std::string latex_cell(const Table& table, const Cell& cell, const Column& column) {
  std::string text = escape_latex(display(cell.value, column.digits));
  if (cell.strong && !std::holds_alternative<std::monostate>(cell.value)) {
    text = "\\textbf{" + text + "}";
  }
  if (cell.interval) {
    text += fmt::format(" {{\\scriptsize [{:.{}f}, {:.{}f}]}}", cell.interval->low, column.digits,
                        cell.interval->high, column.digits);
  }
  const std::string count = count_note(table, cell);
  if (!count.empty()) text += fmt::format(" {{\\scriptsize ({})}}", count);
  return text;
}

// l for text columns, r for numbers; a column of long texts wraps within a third of the line.
std::string alignment(const Table& table) {
  std::string letters;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const char* letter = "r";
    for (const auto& row : table.rows) {
      const auto* text = std::get_if<std::string>(&row[column].value);
      if (text == nullptr) continue;
      letter = "l";
      if (text->size() > kLongText) {
        letter = "p{.33\\linewidth}";
        break;
      }
    }
    letters += letter;
  }
  return letters;
}

std::string latex_table(const Table& table) {
  // A table wider than its column shrinks to it instead of running into the next.
  std::string text = "% needs \\usepackage{booktabs} and \\usepackage{adjustbox}\n";
  text += "\\begin{table}[t]\n\\centering\n\\small\n";
  text += "\\caption{" + escape_latex(table.title) + ". " + escape_latex(table.caption) + "}\n";
  text += "\\label{tab:" + file_stem(table.id) + "}\n";
  text += "\\begin{adjustbox}{max width=\\linewidth}\n";
  text += "\\begin{tabular}{" + alignment(table) + "}\n\\toprule\n";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    text += (i > 0 ? " & " : "") + escape_latex(column_title(table.columns[i]));
  }
  text += " \\\\\n\\midrule\n";
  for (std::size_t k = 0; k < table.rows.size(); ++k) {
    if (std::find(table.rules.begin(), table.rules.end(), k) != table.rules.end()) {
      text += "\\midrule\n";
    }
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      text += (i > 0 ? " & " : "") + latex_cell(table, table.rows[k][i], table.columns[i]);
    }
    text += " \\\\\n";
  }
  text += "\\bottomrule\n\\end{tabular}\n\\end{adjustbox}\n";
  return text + "\\end{table}\n";
}

}  // namespace

std::vector<OutputFile> render_latex(std::span<const Document> documents) {
  std::vector<OutputFile> files;
  for (const Document& document : documents) {
    for (const Table& table : document.tables) {
      files.push_back({"tables/" + file_stem(table.id) + ".tex", latex_table(table)});
    }
  }
  return files;
}

}  // namespace elastic::reports
