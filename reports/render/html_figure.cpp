#include <fmt/format.h>

#include <set>

#include "base/text.h"
#include "reports/render/html_parts.h"
#include "reports/render/render.h"

namespace elastic::reports {
namespace {

Json interval_json(const std::optional<runs::Interval>& interval) {
  if (!interval) return nullptr;
  return {interval->low, interval->high};
}

Json point_json(const Point& point) {
  return {{"x", point.x},
          {"y", point.y},
          {"xi", interval_json(point.x_interval)},
          {"yi", interval_json(point.y_interval)},
          // Plotly reads a small markup in its texts; escaped, a run's text stays text.
          {"label", escape_html(point.label)},
          {"detail", escape_html(point.detail)},
          {"on", point.emphasised},
          {"filter", point.samples ? filter_json(*point.samples) : Json(nullptr)}};
}

Json axis_json(const Axis& axis) { return {{"title", escape_html(axis.title)}, {"log", axis.log}}; }

// What the page's script turns into plotly traces.
Json chart_json(const Chart& chart, const std::string& id, Palette& palette) {
  Json out = {{"id", id}, {"title", escape_html(chart.title)}};
  out["x"] = axis_json(chart.x);
  out["y"] = axis_json(chart.y);
  if (chart.x.min && chart.x.max && !chart.x.log) {
    const double pad = (*chart.x.max - *chart.x.min) * 0.06;
    out["x"]["range"] = {*chart.x.min - pad, *chart.x.max + pad};
  }
  out["xref"] = chart.x_reference ? Json(*chart.x_reference) : Json(nullptr);
  std::set<double> lengths;
  Json& all = out["series"] = Json::array();
  for (const Series& series : chart.series) {
    Json points = Json::array();
    for (const Point& point : series.points) {
      points.push_back(point_json(point));
      lengths.insert(point.x);
    }
    all.push_back({{"name", escape_html(series.name)},
                   {"slot", palette.slot(series.colour)},
                   {"line", series.line},
                   {"dashed", repeats_slot(chart, series, palette)},
                   {"markers", series.markers},
                   {"front", series.staircase},
                   {"points", std::move(points)}});
  }
  if (chart.x.lengths) {
    Json values = Json::array(), labels = Json::array();
    for (const double length : lengths) {
      values.push_back(length);
      labels.push_back(format_length(static_cast<std::int64_t>(length)));
    }
    out["ticks"] = {std::move(values), std::move(labels)};
  } else {
    out["ticks"] = nullptr;
  }
  return out;
}

}  // namespace

std::string html_figure(const Figure& figure, int number, Palette& palette) {
  const std::string id = file_stem(figure.id);
  bool wide = false;
  std::string panels;
  int chart_number = 0;
  for (std::size_t i = 0; i < figure.panels.size(); ++i) {
    const auto* chart = std::get_if<Chart>(&figure.panels[i]);
    wide = wide || !std::holds_alternative<Heatmap>(figure.panels[i]);
    panels += fmt::format("<div class=\"panel{}\">", chart != nullptr ? " chart" : "") +
              svg_panel(figure, i, palette);
    if (chart != nullptr) {
      const std::string chart_id = fmt::format("{}-{}", id, ++chart_number);
      panels += "<script type=\"application/json\">" +
                script_json(chart_json(*chart, chart_id, palette)) + "</script>";
    }
    panels += "</div>\n";
  }
  if (const std::string bar = svg_colour_bar(figure); !bar.empty()) {
    panels += "<div class=\"panel\">" + bar + "</div>\n";
  }
  return fmt::format(
      "<figure id=\"figure-{}\">\n<div class=\"panels{}\">\n{}</div>\n"
      "<figcaption><b>Figure {}. {}.</b> {}</figcaption>\n</figure>\n",
      id, wide ? " wide" : "", panels, number, escape_html(figure.title),
      escape_html(figure.caption));
}

}  // namespace elastic::reports
