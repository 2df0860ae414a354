#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/text.h"
#include "reports/render/svg.h"

namespace elastic::reports {
namespace {

constexpr double kWidth = 480, kHeight = 340, kLeft = 58, kRight = 18, kBottom = 48;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void add(const std::optional<runs::Interval>& interval) {
    if (interval) add(interval->low), add(interval->high);
  }
};

Range data_range(const Chart& chart, bool x) {
  Range range;
  for (const Series& series : chart.series) {
    for (const Point& point : series.points) {
      range.add(x ? point.x : point.y);
      range.add(x ? point.x_interval : point.y_interval);
    }
  }
  const auto& reference = x ? chart.x_reference : chart.y_reference;
  if (reference) range.add(*reference);
  return range.low > range.high ? Range{0, 1} : range;  // of no point, something to draw
}

// The axis with room for markers at its ends, in data space (log2 space where log).
Scale scale_of(const Chart& chart, bool x, double start, double end) {
  const Axis& axis = x ? chart.x : chart.y;
  Range range = data_range(chart, x);
  if (axis.min) range.low = *axis.min;
  if (axis.max) range.high = *axis.max;
  Scale scale{range.low, range.high, start, end, axis.log};
  if (axis.log) {
    scale.from = std::log2(std::max(range.low, 1e-6));
    scale.to = std::log2(std::max(range.high, 1e-6));
  }
  const double span = scale.to - scale.from;
  const double pad = span > 0 ? span * 0.06 : std::max(std::abs(scale.to) * 0.1, 0.5);
  scale.from -= pad;
  scale.to += pad;
  return scale;
}

std::vector<Tick> ticks_of(const Chart& chart, bool x, const Scale& scale) {
  const Axis& axis = x ? chart.x : chart.y;
  if (axis.lengths) {  // exactly the lengths that were measured
    std::set<double> values;
    for (const Series& series : chart.series) {
      for (const Point& point : series.points) values.insert(point.x);
    }
    std::vector<Tick> ticks;
    ticks.reserve(values.size());
    for (const double value : values) {
      ticks.push_back({value, format_length(static_cast<std::int64_t>(value))});
    }
    return ticks;
  }
  if (axis.log) return log_ticks(std::exp2(scale.from), std::exp2(scale.to));
  return linear_ticks(axis.min.value_or(scale.from), axis.max.value_or(scale.to), x ? 6 : 5);
}

// Marker shapes differ by slot too, so that colour is never the only difference.
std::string marker(double x, double y, int slot, bool filled) {
  const std::string look = fmt::format("class=\"mark s{}{}\"", slot, filled ? "" : " open");
  const auto path = [&](std::string_view shape) {
    return fmt::format(R"svg(<path {} transform="translate({:.1f} {:.1f})" d="{}"/>)svg", look, x,
                       y, shape);
  };
  switch (slot) {
    case 1:
      return path("M-5-5H5V5H-5Z");
    case 2:
      return path("M0-6.2L5.8 4.6H-5.8Z");
    case 3:
      return path("M0-6.8L6 0 0 6.8-6 0Z");
    case 4:
      return path("M0 6.2L5.8-4.6H-5.8Z");
    case 5:
      return path("M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z");
    case 6:
      return path("M0-6.3L6-1.9 3.7 5.1H-3.7L-6-1.9Z");
    case 7:
      return path("M-6 0L-3-5.2H3L6 0 3 5.2H-3Z");
    default:
      return fmt::format(R"(<circle {} cx="{:.1f}" cy="{:.1f}" r="5.2"/>)", look, x, y);
  }
}

struct Box {
  double left, top, right, bottom;
  bool meets(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

// Draws one chart; keeps what has been placed so that labels avoid it.
class ChartDrawing {
 public:
  ChartDrawing(const Chart& chart, Palette& palette) : chart_(chart), palette_(palette) {}

  std::string draw() {
    const std::string legend = draw_legend();  // decides where the plot begins
    x_ = scale_of(chart_, true, kLeft, kWidth - kRight);
    y_ = scale_of(chart_, false, kHeight - kBottom, top_);
    std::string svg =
        svg_open(kWidth, kHeight, chart_.title.empty() ? chart_.y.title : chart_.title);
    if (!chart_.title.empty()) svg += svg_text(kLeft, 15, chart_.title, "title");
    svg += legend + draw_axes();
    for (const Series& series : chart_.series) svg += draw_line(series);
    for (const Series& series : chart_.series) svg += draw_intervals(series);
    for (const Series& series : chart_.series) svg += draw_points(series);
    for (const Series& series : chart_.series) svg += draw_labels(series);
    return svg + "</svg>";
  }

 private:
  std::string draw_legend() {
    double x = kLeft, y = chart_.title.empty() ? 14 : 34;
    std::string svg;
    for (const Series& series : chart_.series) {
      const bool labelled = !series.points.empty() && !series.points[0].label.empty();
      if (labelled || series.staircase) continue;  // named beside its point
      const double width = 22 + text_width(series.name) + 14;
      if (x + width > kWidth - kRight && x > kLeft) x = kLeft, y += 18;
      if (series.line) svg += svg_line(x, y - 4, x + 18, y - 4, curve_class(series));
      if (series.markers) svg += marker(x + 9, y - 4, palette_.slot(series.colour), true);
      svg += svg_text(x + 23, y, series.name, "legend");
      x += width;
      top_ = y + 14;
    }
    top_ = std::max(top_, chart_.title.empty() ? 12.0 : 28.0);
    return svg;
  }

  std::string draw_axes() {
    std::string svg;
    const double bottom = kHeight - kBottom, right = kWidth - kRight;
    for (const Tick& tick : ticks_of(chart_, false, y_)) {
      svg += svg_line(kLeft, y_(tick.value), right, y_(tick.value), "grid");
      svg += svg_text(kLeft - 7, y_(tick.value) + 4, tick.label, "tick end");
    }
    for (const Tick& tick : ticks_of(chart_, true, x_)) {
      svg += svg_line(x_(tick.value), bottom, x_(tick.value), bottom + 4, "axis");
      svg += svg_text(x_(tick.value), bottom + 17, tick.label, "tick middle");
    }
    if (chart_.x_reference) {
      svg += svg_line(x_(*chart_.x_reference), top_, x_(*chart_.x_reference), bottom, "reference");
    }
    if (chart_.y_reference) {
      svg += svg_line(kLeft, y_(*chart_.y_reference), right, y_(*chart_.y_reference), "reference");
    }
    svg += svg_line(kLeft, bottom, right, bottom, "axis");
    svg += svg_text((kLeft + right) / 2, kHeight - 10, chart_.x.title, "name middle");
    svg += fmt::format(
        R"svg(<text class="name middle" transform="translate(14 {:.1f}) rotate(-90)">{}</text>)svg",
        (top_ + bottom) / 2, escape_html(chart_.y.title));
    return svg;
  }

  // Lines over the same few lengths stand a little apart, so that intervals do not hide each other.
  double dodge(const Series& series) const {
    if (!series.line || series.staircase || !chart_.x.lengths) return 0;
    const auto index = static_cast<double>(&series - chart_.series.data());
    return 5 * (index - (static_cast<double>(chart_.series.size()) - 1) / 2);
  }

  std::string curve_class(const Series& series) const {
    return fmt::format("curve s{}{}", palette_.slot(series.colour),
                       repeats_slot(chart_, series, palette_) ? " dashed" : "");
  }

  std::string draw_line(const Series& series) const {
    if (!series.line || series.points.empty()) return "";
    std::string path;
    if (series.staircase) {  // the dominated region lies below and to the left
      path = fmt::format("M{:.1f} {:.1f}", kLeft, y_(series.points[0].y));
      for (const Point& point : series.points) {
        path += fmt::format("V{:.1f}H{:.1f}", y_(point.y), x_(point.x));
      }
      path += fmt::format("V{:.1f}", kHeight - kBottom);
      return fmt::format(R"(<path class="region" d="{}H{:.1f}Z"/><path class="front" d="{}"/>)",
                         path, kLeft, path);
    }
    for (const Point& point : series.points) {
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? 'M' : 'L', x_(point.x) + dodge(series),
                          y_(point.y));
    }
    return fmt::format(R"(<path class="{}" d="{}"/>)", curve_class(series), path);
  }

  std::string draw_intervals(const Series& series) const {
    std::string svg;
    if (!series.markers) return svg;
    const std::string css = fmt::format("bar s{}", palette_.slot(series.colour));
    for (const Point& point : series.points) {
      const double x = x_(point.x) + dodge(series), y = y_(point.y);
      if (point.y_interval) {
        const double low = y_(point.y_interval->low), high = y_(point.y_interval->high);
        svg += svg_line(x, low, x, high, css) + svg_line(x - 3, low, x + 3, low, css) +
               svg_line(x - 3, high, x + 3, high, css);
      }
      if (point.x_interval) {
        const double low = x_(point.x_interval->low), high = x_(point.x_interval->high);
        svg += svg_line(low, y, high, y, css) + svg_line(low, y - 3, low, y + 3, css) +
               svg_line(high, y - 3, high, y + 3, css);
      }
    }
    return svg;
  }

  std::string draw_points(const Series& series) {
    std::string svg;
    if (!series.markers) return svg;
    const int slot = palette_.slot(series.colour);
    for (const Point& point : series.points) {
      const double x = x_(point.x) + dodge(series), y = y_(point.y);
      taken_.push_back({x - 7, y - 7, x + 7, y + 7});
      svg += "<g>" + marker(x, y, slot, point.emphasised) + "<title>" + escape_html(point.detail) +
             "</title></g>";
    }
    return svg;
  }

  // Beside the point, at the first of eight places that is free and inside the plot.
  std::string draw_labels(const Series& series) {
    std::string svg;
    for (const Point& point : series.points) {
      if (point.label.empty()) continue;
      const double x = x_(point.x), y = y_(point.y), width = text_width(point.label);
      const double places[][2] = {{9, -8},           {-9 - width, -8}, {9, 16}, {-9 - width, 16},
                                  {-width / 2, -14}, {-width / 2, 22}, {12, 4}, {-12 - width, 4}};
      double dx = places[0][0], dy = places[0][1];
      for (const auto& place : places) {
        const Box box{x + place[0], y + place[1] - 11, x + place[0] + width, y + place[1] + 3};
        const bool inside = box.left >= kLeft && box.right <= kWidth - 2 && box.top >= top_ - 10 &&
                            box.bottom <= kHeight - kBottom;
        const bool free = std::none_of(taken_.begin(), taken_.end(),
                                       [&](const Box& other) { return box.meets(other); });
        if (!inside || !free) continue;
        dx = place[0], dy = place[1];
        break;
      }
      taken_.push_back({x + dx, y + dy - 11, x + dx + width, y + dy + 3});
      svg += svg_text(x + dx, y + dy, point.label,
                      fmt::format("label s{}", palette_.slot(series.colour)));
    }
    return svg;
  }

  const Chart& chart_;
  Palette& palette_;
  Scale x_, y_;
  double top_ = 0;
  std::vector<Box> taken_;
};

}  // namespace

bool repeats_slot(const Chart& chart, const Series& series, Palette& palette) {
  const int slot = palette.slot(series.colour);
  for (const Series& earlier : chart.series) {
    if (&earlier == &series) return false;
    if (palette.slot(earlier.colour) == slot) return true;
  }
  return false;
}

std::string svg_chart(const Chart& chart, Palette& palette) {
  return ChartDrawing(chart, palette).draw();
}

}  // namespace elastic::reports
