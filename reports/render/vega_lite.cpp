// Figures as Vega-Lite specifications (version 5), one JSON file a figure with its data inside:
// panels stand side by side as in the SVG. Any Vega-Lite viewer draws them and can change them.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reports/render/render.h"

namespace elastic::reports {
namespace {

constexpr const char* kSchema = "https://vega.github.io/schema/vega-lite/v5.json";

Json field(const char* name, const char* type, const std::string& title) {
  return {{"field", name}, {"type", type}, {"title", title}};
}

Json channel(const char* name, const Axis& axis) {
  Json out = field(name, "quantitative", axis.title);
  Json scale = {{"zero", false}};
  if (axis.log) {
    scale["type"] = "log";
    scale["base"] = axis.lengths ? 2 : 10;
  }
  if (axis.min && axis.max) scale["domain"] = {*axis.min, *axis.max};
  out["scale"] = std::move(scale);
  return out;
}

Json end_of(const std::optional<runs::Interval>& interval, double runs::Interval::*end) {
  return interval ? Json((*interval).*end) : Json(nullptr);
}

// A bar from one end of an interval to the other; nothing where no point has one.
Json interval_layer(const Chart& chart, const char* axis,
                    std::optional<runs::Interval> Point::*interval) {
  const bool any = std::any_of(chart.series.begin(), chart.series.end(), [&](const Series& series) {
    return std::any_of(series.points.begin(), series.points.end(),
                       [&](const Point& point) { return (point.*interval).has_value(); });
  });
  if (!any) return nullptr;
  const std::string name = axis;
  const Json low = {{"field", name + "_low"}, {"type", "quantitative"}};
  return {{"transform", {{{"filter", fmt::format("isValid(datum.{}_low)", name)}}}},
          {"mark", {{"type", "rule"}, {"opacity", 0.7}}},
          {"encoding", {{axis, low}, {name + "2", {{"field", name + "_high"}}}}}};
}

Json reference_layer(const char* axis, double value) {
  return {{"data", {{"values", {Json::object()}}}},
          {"mark", {{"type", "rule"}, {"strokeDash", {2, 3}}, {"color", "gray"}}},
          {"encoding", {{axis, {{"datum", value}}}}}};
}

Json points_of(const Chart& chart) {
  Json values = Json::array();
  for (const Series& series : chart.series) {
    std::int64_t order = 0;
    for (const Point& point : series.points) {
      values.push_back({{"series", series.name},
                        {"order", order++},
                        {"x", point.x},
                        {"y", point.y},
                        {"x_low", end_of(point.x_interval, &runs::Interval::low)},
                        {"x_high", end_of(point.x_interval, &runs::Interval::high)},
                        {"y_low", end_of(point.y_interval, &runs::Interval::low)},
                        {"y_high", end_of(point.y_interval, &runs::Interval::high)},
                        {"label", point.label},
                        {"detail", point.detail},
                        {"line", series.line && !series.staircase},
                        {"front", series.staircase},
                        {"marker", series.markers}});
    }
  }
  return values;
}

Json line_layer(const char* filter, Json mark) {
  return {{"transform", {{{"filter", filter}}}},
          {"mark", std::move(mark)},
          {"encoding", {{"order", {{"field", "order"}, {"type", "ordinal"}}}}}};
}

// "1k", "2k" at the lengths that are there.
Json lengths_axis(const Chart& chart) {
  std::set<double> lengths;
  for (const Series& series : chart.series) {
    for (const Point& point : series.points) lengths.insert(point.x);
  }
  return {{"values", lengths}, {"labelExpr", "format(datum.value / 1024, '.3~g') + 'k'"}};
}

Json vega_chart(const Chart& chart) {
  const Json tooltip = {{"field", "detail"}, {"type", "nominal"}};
  Json layers = Json::array();
  layers.push_back(line_layer("datum.line", "line"));
  layers.push_back(line_layer("datum.front", {{"type", "line"},
                                              {"interpolate", "step-before"},
                                              {"strokeDash", {5, 4}},
                                              {"color", "gray"}}));
  for (Json layer : {interval_layer(chart, "x", &Point::x_interval),
                     interval_layer(chart, "y", &Point::y_interval)}) {
    if (!layer.is_null()) layers.push_back(std::move(layer));
  }
  layers.push_back({{"transform", {{{"filter", "datum.marker"}}}},
                    {"mark", {{"type", "point"}, {"filled", true}, {"size", 60}}},
                    {"encoding", {{"tooltip", tooltip}}}});
  layers.push_back({{"transform", {{{"filter", "datum.label != ''"}}}},
                    {"mark", {{"type", "text"}, {"align", "left"}, {"dx", 7}, {"dy", -7}}},
                    {"encoding", {{"text", {{"field", "label"}}}}}});
  if (chart.x_reference) layers.push_back(reference_layer("x", *chart.x_reference));
  if (chart.y_reference) layers.push_back(reference_layer("y", *chart.y_reference));
  Json x = channel("x", chart.x);
  if (chart.x.lengths) x["axis"] = lengths_axis(chart);
  return {{"title", chart.title},
          {"data", {{"values", points_of(chart)}}},
          {"encoding",
           {{"x", std::move(x)},
            {"y", channel("y", chart.y)},
            {"color", field("series", "nominal", "")}}},
          {"layer", std::move(layers)}};
}

// Rows and columns keep the order they have here.
Json label_channel(const char* name, const std::string& title,
                   const std::vector<std::string>& labels) {
  Json out = field(name, "ordinal", title);
  out["sort"] = labels;
  return out;
}

Json vega_heatmap(const Heatmap& map, const Figure& figure) {
  Json values = Json::array();
  for (std::size_t row = 0; row < map.values.size(); ++row) {
    for (std::size_t column = 0; column < map.values[row].size(); ++column) {
      const std::optional<double>& value = map.values[row][column];
      Json cell = {{"x", map.x_labels.at(column)},
                   {"y", map.y_labels.at(row)},
                   {"value", value ? Json(*value) : Json(nullptr)}};
      if (row < map.counts.size() && column < map.counts[row].size()) {
        cell["n"] = map.counts[row][column];
      }
      values.push_back(std::move(cell));
    }
  }
  Json colour = field("value", "quantitative", figure.scale_title);
  colour["scale"] = {{"scheme", "cividis"}, {"domain", {figure.scale_min, figure.scale_max}}};
  return {{"title", map.title},
          {"data", {{"values", std::move(values)}}},
          {"mark", "rect"},
          {"encoding",
           {{"x", label_channel("x", map.x_title, map.x_labels)},
            {"y", label_channel("y", map.y_title, map.y_labels)},
            {"color", std::move(colour)}}}};
}

Json vega_bars(const Bars& bars) {
  Json values = Json::array();
  for (std::size_t row = 0; row < bars.values.size(); ++row) {
    for (std::size_t part = 0; part < bars.values[row].size(); ++part) {
      values.push_back({{"label", bars.labels.at(row)},
                        {"part", bars.parts.at(part)},
                        {"order", part},
                        {"value", bars.values[row][part]}});
    }
  }
  Json colour = field("part", "nominal", "");
  colour["sort"] = bars.parts;
  return {{"title", bars.title},
          {"data", {{"values", std::move(values)}}},
          {"mark", "bar"},
          {"encoding",
           {{"x", field("value", "quantitative", bars.x_title)},
            {"y", label_channel("label", "", bars.labels)},
            {"color", std::move(colour)},
            {"order", {{"field", "order"}}}}}};
}

Json vega_figure(const Figure& figure) {
  Json panels = Json::array();
  bool one_kind = true;  // a colour means the same in all panels
  for (const auto& panel : figure.panels) {
    one_kind = one_kind && panel.index() == figure.panels.front().index();
    if (const auto* chart = std::get_if<Chart>(&panel)) panels.push_back(vega_chart(*chart));
    if (const auto* map = std::get_if<Heatmap>(&panel)) {
      panels.push_back(vega_heatmap(*map, figure));
    }
    if (const auto* bars = std::get_if<Bars>(&panel)) panels.push_back(vega_bars(*bars));
  }
  return {{"$schema", kSchema},
          {"title", figure.title},
          {"description", figure.caption},
          {"columns", 3},
          {"concat", std::move(panels)},
          {"resolve", {{"scale", {{"color", one_kind ? "shared" : "independent"}}}}}};
}

}  // namespace

std::vector<OutputFile> render_vega_lite(std::span<const Document> documents) {
  std::vector<OutputFile> files;
  for (const Document& document : documents) {
    for (const Figure& figure : document.figures) {
      files.push_back(
          {"figures/" + file_stem(figure.id) + ".vl.json", dump_pretty(vega_figure(figure))});
    }
  }
  return files;
}

}  // namespace elastic::reports
