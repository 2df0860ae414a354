#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/render/svg.h"

namespace elastic::reports {
namespace {

// Every k-th label, so that they do not touch.
std::size_t label_step(double room, double needed) {
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(needed / room)));
}

double widest(const std::vector<std::string>& labels) {
  double width = 0;
  for (const std::string& label : labels) width = std::max(width, text_width(label) * 0.9);
  return width;
}

std::string heat_cell(const Heatmap& map, std::size_t row, std::size_t column, double x, double y,
                      double width, double height, double share) {
  const double value = *map.values[row][column];
  std::string n;
  if (row < map.counts.size() && column < map.counts[row].size()) {
    n = fmt::format(", n {}", map.counts[row][column]);
  }
  std::string svg = fmt::format(
      R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"><title>{} {}, {} {}: {}{}</title></rect>)",
      x, y, width, height, cividis(share), escape_html(map.y_title), escape_html(map.y_labels[row]),
      escape_html(map.x_title), escape_html(map.x_labels[column]),
      fmt::format("{:.{}f}", value, map.digits ? *map.digits + 1 : 3), n);
  if (map.digits) {
    svg += svg_text(x + width / 2, y + height / 2 + 4, fmt::format("{:.{}f}", value, *map.digits),
                    cividis_is_bright(share) ? "value dark middle" : "value bright middle");
  }
  return svg;
}

struct Columns {
  double left, width;  // of a cell
};

// Names that do not fit under their columns stand at 45 degrees; numbers are thinned out instead.
bool slants(const Heatmap& map, const Columns& columns) {
  return map.digits && widest(map.x_labels) + 6 > columns.width;
}

std::string x_labels(const Heatmap& map, const Columns& columns, double bottom) {
  const bool slant = slants(map, columns);
  const std::size_t step = slant ? 1 : label_step(columns.width, widest(map.x_labels) + 6);
  std::string svg;
  for (std::size_t column = 0; column < map.x_labels.size(); column += step) {
    const double x = columns.left + (static_cast<double>(column) + 0.5) * columns.width;
    if (!slant) {
      svg += svg_text(x, bottom + 13, map.x_labels[column], "tick middle");
      continue;
    }
    svg += fmt::format(
        R"svg(<text class="tick end" transform="translate({:.1f} {:.1f}) rotate(-45)">{}</text>)svg",
        x + 3, bottom + 11, escape_html(map.x_labels[column]));
  }
  return svg;
}

}  // namespace

std::string svg_heatmap(const Heatmap& map, double low, double high) {
  const auto columns = static_cast<double>(std::max<std::size_t>(map.x_labels.size(), 1));
  const auto rows = static_cast<double>(std::max<std::size_t>(map.y_labels.size(), 1));
  const double cell_width =
      map.digits ? std::clamp(330 / columns, 34.0, 64.0) : std::clamp(150 / columns, 7.0, 26.0);
  const double cell_height =
      map.digits ? 21 : std::clamp(210 / rows, 6.0, std::max(6.0, cell_width));
  const double left = 24 + widest(map.y_labels), top = 24;
  const double right = left + columns * cell_width, bottom = top + rows * cell_height;
  const double width = std::max(right + 10, 14 + 1.16 * text_width(map.title));  // bold
  const Columns shape{left, cell_width};
  const double under = bottom + (slants(map, shape) ? 0.71 * widest(map.x_labels) : 0);
  std::string svg = svg_open(width, under + 40, map.title);
  svg += svg_text(width < right + 11 ? left : 6, 14, map.title, "title small");
  const double gap = std::min(cell_width, cell_height) > 9 ? 1 : 0;
  for (std::size_t row = 0; row < map.values.size(); ++row) {
    for (std::size_t column = 0; column < map.values[row].size(); ++column) {
      const double x = left + static_cast<double>(column) * cell_width;
      const double y = top + static_cast<double>(row) * cell_height;
      if (!map.values[row][column]) {
        svg += fmt::format(
            R"(<rect class="missing" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>)", x, y,
            cell_width - gap, cell_height - gap);
        continue;
      }
      const double share = high > low ? (*map.values[row][column] - low) / (high - low) : 0;
      svg += heat_cell(map, row, column, x, y, cell_width - gap, cell_height - gap, share);
    }
  }
  const std::size_t y_step = label_step(cell_height, 12);
  for (std::size_t row = 0; row < map.y_labels.size(); row += y_step) {
    svg += svg_text(left - 5, top + (static_cast<double>(row) + 0.5) * cell_height + 4,
                    map.y_labels[row], "tick end");
  }
  svg += x_labels(map, shape, bottom);
  svg += svg_text((left + right) / 2, under + 31, map.x_title, "name middle");
  svg += fmt::format(
      R"svg(<text class="name middle" transform="translate(11 {:.1f}) rotate(-90)">{}</text>)svg",
      (top + bottom) / 2, escape_html(map.y_title));
  return svg + "</svg>";
}

std::string svg_bars(const Bars& bars) {
  constexpr double kWidth = 480, kRow = 21, kRight = 58;
  double y = bars.title.empty() ? 14 : 34;
  std::string legend;
  double legend_x = 8;
  for (std::size_t part = 0; part < bars.parts.size(); ++part) {
    legend +=
        fmt::format(R"(<rect class="part p{}" x="{:.1f}" y="{:.1f}" width="11" height="11"/>)",
                    part, legend_x, y - 10);
    legend += svg_text(legend_x + 16, y, bars.parts[part], "legend");
    legend_x += 16 + text_width(bars.parts[part]) + 14;
  }
  const double left = 14 + widest(bars.labels);
  const double height = y + 16 + kRow * static_cast<double>(bars.labels.size()) + 44;
  double most = 0;
  for (const auto& values : bars.values) {
    double sum = 0;
    for (const double value : values) sum += value;
    most = std::max(most, sum);
  }
  const Scale scale{0, most > 0 ? most : 1, left, kWidth - kRight};
  std::string svg = svg_open(kWidth, height, bars.x_title);
  if (!bars.title.empty()) svg += svg_text(8, 15, bars.title, "title");
  svg += legend;
  const double top = y + 12, bottom = height - 44;
  for (const Tick& tick : linear_ticks(0, most > 0 ? most : 1, 5)) {
    svg += svg_line(scale(tick.value), top, scale(tick.value), bottom, "grid");
    svg += svg_text(scale(tick.value), bottom + 15, tick.label, "tick middle");
  }
  y = top + 3;
  for (std::size_t row = 0; row < bars.labels.size(); ++row, y += kRow) {
    svg += svg_text(left - 7, y + 12, bars.labels[row], "tick end");
    double sum = 0;
    for (std::size_t part = 0; part < bars.values[row].size(); ++part) {
      const double value = bars.values[row][part];
      svg += fmt::format(
          R"(<rect class="part p{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="15"><title>{}, {}: {:.2f}</title></rect>)",
          part, scale(sum), y, std::max(0.0, scale(sum + value) - scale(sum)),
          escape_html(bars.labels[row]), escape_html(bars.parts[part]), value);
      sum += value;
    }
    svg += svg_text(scale(sum) + 5, y + 12, fmt::format("{:.4g}", sum), "tick start");
  }
  svg += svg_text((left + kWidth - kRight) / 2, height - 10, bars.x_title, "name middle");
  return svg + "</svg>";
}

}  // namespace elastic::reports
