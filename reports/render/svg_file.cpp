// Figures as files of their own: the panels of the page side by side, with the page's rules for
// drawings inside and its light colours written out, since few programs beside browsers know
// variables of style sheets.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "reports/render/html_parts.h"
#include "reports/render/render.h"
#include "reports/render/svg.h"

namespace elastic::reports {
namespace {

constexpr double kGap = 20, kMostWidth = 1200;  // pixels between panels, of a row of them

// "--line" -> "#d5dbe1", of the first block of the sheet.
std::map<std::string, std::string, std::less<>> light_colours(std::string_view css) {
  std::map<std::string, std::string, std::less<>> colours;
  for (const std::string_view rule : split(css.substr(0, css.find('}')), ';')) {
    const std::size_t name = rule.find("--"), colon = rule.find(':', name);
    if (name == std::string_view::npos || colon == std::string_view::npos) continue;
    colours.emplace(rule.substr(name, colon - name), strip(rule.substr(colon + 1)));
  }
  return colours;
}

// The lines about drawings, as rules for a file that is one.
std::string style_of(std::string_view css) {
  std::string style;
  for (const std::string_view line : split(css, '\n')) {
    if (line.starts_with("svg ")) style += std::string(line) + "\n";
  }
  for (const auto& [name, colour] : light_colours(css)) {
    style = replace_all(style, "var(" + name + ")", colour);
  }
  return style;
}

std::vector<std::string> panels_of(const Figure& figure, Palette& palette) {
  std::vector<std::string> panels;
  for (std::size_t i = 0; i < figure.panels.size(); ++i) {
    panels.push_back(svg_panel(figure, i, palette));
  }
  if (std::string bar = svg_colour_bar(figure); !bar.empty()) panels.push_back(std::move(bar));
  return panels;
}

std::string svg_file(const Figure& figure, const std::string& style, Palette& palette) {
  double x = 0, y = 0, row_height = 0, width = 0;
  std::string inner;
  for (const std::string& panel : panels_of(figure, palette)) {
    const SvgSize size = svg_size(panel);
    if (x > 0 && x + size.width > kMostWidth) {
      x = 0;
      y += row_height + kGap;
      row_height = 0;
    }
    inner += fmt::format("<svg x=\"{:.0f}\" y=\"{:.0f}\"{}\n", x, y, panel.substr(4));
    width = std::max(width, x + size.width);
    row_height = std::max(row_height, size.height);
    x += size.width + kGap;
  }
  return svg_open(width, y + row_height, figure.title) + "\n<style>\n" + style +
         "</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" + inner + "</svg>\n";
}

}  // namespace

std::vector<OutputFile> render_svg(std::span<const Document> documents) {
  std::vector<OutputFile> files;
  const std::string style = style_of(kReportCss);
  Palette palette;
  for (const Document& document : documents) {
    for (const Figure& figure : document.figures) {
      files.push_back(
          {"figures/" + file_stem(figure.id) + ".svg", svg_file(figure, style, palette)});
    }
  }
  return files;
}

}  // namespace elastic::reports
