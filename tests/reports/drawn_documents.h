#pragma once

// Documents of no report: what the renderers can be asked to draw, at the edges of their rules.

#include <fmt/format.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "reports/document.h"

namespace elastic::reports {

inline Point point_at(double x, double y, std::string label = "") {
  Point point;
  point.x = x;
  point.y = y;
  point.detail = label.empty() ? fmt::format("at <{:g}, {:g}>", x, y) : label + " & more";
  point.label = std::move(label);
  return point;
}

inline Series line_series(std::string name, const std::vector<std::pair<double, double>>& points) {
  Series series;
  series.colour = name;
  series.name = std::move(name);
  series.line = true;
  for (const auto& [x, y] : points) series.points.push_back(point_at(x, y));
  return series;
}

/// Lines over lengths, both axes logarithmic, a thin line at a value, intervals of either kind.
inline Chart lengths_chart() {
  Chart chart;
  chart.title = "Times of \"four\" modes";
  chart.x = {"tokens", std::nullopt, std::nullopt, true, true};
  chart.y = {"ms <median>", std::nullopt, std::nullopt, true};
  for (const char* mode : {"fa", "ssa", "xa", "other"}) {
    chart.series.push_back(line_series(mode, {{1024, 2}, {2048, 9}, {16384, 700}}));
  }
  chart.series[1].points[1].y_interval = runs::Interval{4, 20};
  chart.series[2].points[1].x_interval = runs::Interval{1500, 3000};
  chart.series[2].points[2].y = 41;
  chart.series[3].points[0].emphasised = false;
  chart.series[3].points.pop_back();
  chart.series[3].markers = false;
  chart.series[2].line = false;
  chart.series.push_back(line_series("front", {{1024, 3}, {8192, 50}}));
  chart.series.back().staircase = true;
  chart.x_reference = 4096;
  chart.y_reference = 100;
  return chart;
}

/// More series than colours, their names in several rows; steps, no title.
inline Chart crowded_legend() {
  Chart chart;
  chart.x = {"step"};
  chart.y = {"loss"};
  for (int i = 0; i < 11; ++i) {
    chart.series.push_back(
        line_series(fmt::format("series {}", std::string(static_cast<std::size_t>(i), 'x')),
                    {{0, i}, {50, 10.5 - i}, {100, 0.25 * i}}));
    chart.series.back().line = i % 3 != 2;
    if (i % 4 == 3) chart.series.back().markers = false;
  }
  chart.series.push_back({"nothing", "fa", {}, true});
  return chart;
}

/// Labels that get in each other's way and reach the edges; a front that joins some points.
inline Chart labelled_points() {
  Chart chart;
  chart.title = "Labels";
  chart.x = {"share", 0.0, 1.0};
  chart.y = {"score"};
  Series front{"front", "front", {}, true, false, true};
  const std::vector<std::pair<double, double>> places{
      {0, 0},    {1, 100},   {0.5, 50},  {0.5, 50}, {0.51, 51},   {0.49, 49},
      {0.5, 52}, {0.52, 50}, {0.97, 99}, {0.03, 1}, {1, 0},       {0, 100},
      {0.5, 50}, {0.48, 50}, {0.5, 48},  {0.5, 50}, {0.505, 50.5}};
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto [x, y] = places[i];
    Series series{fmt::format("mode {}", i), i % 2 == 0 ? "fa" : fmt::format("mode {}", i), {}};
    series.points.push_back(
        point_at(x, y, i % 3 == 0 ? "a <longer> label" : fmt::format("m&{}", i)));
    series.points.back().emphasised = i % 2 == 0;
    if (i == 1) series.points.back().x_interval = runs::Interval{0.8, 1};
    if (i % 6 == 1) front.points.push_back(point_at(x, y));
    chart.series.push_back(std::move(series));
  }
  chart.series.insert(chart.series.begin(), std::move(front));
  return chart;
}

inline Chart small_chart(std::string title, const std::vector<std::pair<double, double>>& points,
                         bool log_x = false, bool log_y = false) {
  Chart chart;
  chart.title = std::move(title);
  chart.x = {"x", std::nullopt, std::nullopt, log_x};
  chart.y = {"y", std::nullopt, std::nullopt, log_y};
  chart.series.push_back(line_series("fa-ssa", points));
  return chart;
}

/// Ranges of no width, of a sign, over decades, below what a logarithm is drawn of.
inline Figure ranges_figure() {
  Figure figure{"ranges", "Ranges", "", {}};
  figure.panels = {small_chart("one point", {{3, 20}}),
                   small_chart("one small point", {{0, 0}}),
                   small_chart("negative", {{-5, -2000}, {-1, -1500}}),
                   small_chart("through zero", {{-0.3, -1}, {0.7, 1}}),
                   small_chart("decades", {{0.02, 0.5}, {700, 3e6}}, true, true),
                   small_chart("no logarithm", {{0, 1e-9}, {1, 1}}, true, true),
                   small_chart("far", {{1e6, 123456}, {3e6, 123999}}),
                   small_chart("nothing", {})};
  auto& reference = std::get<Chart>(figure.panels[3]);
  reference.x_reference = 2;
  reference.y_reference = -3;
  std::get<Chart>(figure.panels[0]).series[0].name = std::string(70, 'w');  // wider than a row
  auto& bounded = std::get<Chart>(figure.panels[2]);
  bounded.y.min = -3000;
  bounded.y.max = 0;
  bounded.x.min = -6;
  bounded.x.max = -0.5;
  std::get<Chart>(figure.panels[1]).x.min = 0;
  std::get<Chart>(figure.panels[6]).x.max = 4e6;
  std::get<Chart>(figure.panels[4]).x.min = 0.01;
  std::get<Chart>(figure.panels[4]).x.max = 1000;
  return figure;
}

inline Heatmap heatmap_like(std::string title, std::size_t rows, std::size_t columns) {
  Heatmap map{std::move(title), "length", "depth", {}, {}, {}, {}, {}};
  for (std::size_t column = 0; column < columns; ++column) {
    map.x_labels.push_back(fmt::format("c{}", column));
  }
  for (std::size_t row = 0; row < rows; ++row) {
    map.y_labels.push_back(fmt::format("row <{}>", row));
    map.values.emplace_back();
    map.counts.emplace_back();
    for (std::size_t column = 0; column < columns; ++column) {
      const bool missing = (row + 2 * column) % 5 == 3;
      map.values.back().push_back(missing ? std::nullopt
                                          : std::optional(0.1 * static_cast<double>(row) +
                                                          0.07 * static_cast<double>(column)));
      map.counts.back().push_back(static_cast<std::int64_t>(10 * row + column));
    }
  }
  return map;
}

/// Few and many cells, with and without numbers in them, names that fit and that do not.
inline Figure heatmaps_figure() {
  Figure figure{"heatmaps", "Heatmaps", "Values of <several> sizes.", {}};
  Heatmap written = heatmap_like("Numbers in the cells", 3, 4);
  written.digits = 1;
  Heatmap slanted = heatmap_like("Long names", 2, 9);
  slanted.digits = 0;
  slanted.x_labels[1] = "a rather long name & more";
  slanted.counts = {{7}};
  Heatmap thinned = heatmap_like("Many columns", 3, 40);
  for (std::string& label : thinned.x_labels) label = "col" + label;
  thinned.counts.clear();
  Heatmap tall = heatmap_like("A title that is wider than the few columns of its map", 40, 1);
  Heatmap none = heatmap_like("", 0, 0);
  figure.panels = {written, slanted, thinned, tall, none, heatmap_like("Middle", 6, 7)};
  figure.scale_title = "share";
  figure.scale_min = -0.2;
  figure.scale_max = 0.9;
  return figure;
}

inline Figure bars_figure() {
  Figure figure{"bars", "Bars", "", {}};
  figure.panels = {
      Bars{"Parts", "ms", {"attention", "router"}, {"fa", "ssa · 4k"}, {{3, 0.5}, {1, -1}}},
      Bars{"", "ms", {"one", "two", "three"}, {"a very long label <>"}, {{120, 30, 7.25}}},
      Bars{"Nothing", "ms", {"one"}, {"zero"}, {{0}}}};
  return figure;
}

/// One heatmap of a single value: the scale has no width.
inline Figure flat_figure() {
  Figure figure{"flat", "Flat", "", {}};
  Heatmap map = heatmap_like("One value", 1, 1);
  map.digits = 2;
  figure.panels = {std::move(map)};
  figure.scale_title = "nothing";
  figure.scale_min = 0;
  figure.scale_max = 1e-3;
  return figure;
}

inline Cell filled_cell(Value value, std::optional<runs::Interval> interval, std::int64_t n,
                        std::int64_t planned) {
  Cell cell;
  cell.value = std::move(value);
  cell.interval = interval;
  cell.n = n;
  cell.planned = planned;
  return cell;
}

/// Every kind of value, with all that can stand beside it.
inline Table mixed_table() {
  Table table{"mixed <table>", "Every kind & more", "A caption | with *marks*.", {}, {}, {2, 4}};
  table.columns = {{"text", "Text | x"}, {"again", ""},        {"whole", "Whole", 0},
                   {"real", "Real", 2},  {"flag", "Flag"},     {"none", "None"},
                   {"shaded", "Heat"},   {"long", "Long text"}};
  const std::string longest(46, 'l');
  for (int row = 0; row < 6; ++row) {
    std::vector<Cell> cells(8);
    cells[0].value = row < 4 ? std::string("same") : fmt::format("own [{}]", row);
    cells[1].value = row % 2 == 0 ? std::string("even `x`\n") : std::string("odd\\\t");
    cells[2] = filled_cell(std::int64_t{row} * 1000, std::nullopt, row, 3);
    cells[3] = filled_cell(row * 1.0625, runs::Interval{row - 0.5, row + 0.125}, 2, 2);
    cells[4].value = row % 2 == 0;
    cells[6] = filled_cell(row / 4.0, std::nullopt, 0, 0);
    cells[6].shade = row / 4.0 - 0.25;
    cells[7].value = row < 3 ? longest + std::string(static_cast<std::size_t>(row), 'x') : "é–…";
    for (std::size_t i = 0; i < cells.size(); ++i) {
      cells[i].strong = (static_cast<std::size_t>(row) + i) % 3 == 0;
    }
    cells[3].samples = SampleFilter{1, "m", "fa", "ruler/\"a\"", 1024, {}};
    if (row == 1) cells[3].samples = SampleFilter{0, "", "", "", 0, std::array<double, 2>{10, 20}};
    if (row == 2) cells[3].samples.reset();
    if (row == 3) cells[3].value = std::monostate();
    table.rows.push_back(std::move(cells));
  }
  return table;
}

/// Nine columns, folded, without a caption.
inline Table wide_table() {
  Table table{"wide", "Wide", "", {}, {}, {}};
  table.folded = true;
  std::vector<Cell> row(9);
  for (int i = 0; i < 9; ++i) {
    table.columns.push_back({fmt::format("c{}", i), "", i});
    row[static_cast<std::size_t>(i)].value = i / 7.0;
  }
  table.rows = {row};
  return table;
}

inline std::vector<Document> drawn_documents() {
  Document first{"drawn", "Drawn & written", "An intro <with> marks.", {}, {}, {}};
  Figure charts{"charts/all", "Charts", "Lines, names, labels.", {}};
  charts.panels = {lengths_chart(), crowded_legend(), labelled_points()};
  first.figures = {charts, ranges_figure(), heatmaps_figure(), bars_figure(), flat_figure()};
  first.tables = {mixed_table(), wide_table()};
  Sheet rows{"rows", {{"a", ""}, {"b", "B"}}, {}, {}};
  rows.rows = {{std::int64_t{1}, std::string("x,\"y\"\n")},
               {0.1, std::monostate()},
               {true, false},
               {-2.5e-7, std::string()}};
  Sheet empty{"empty", {{"only", ""}}, {}, {}};
  Sheet nested{"nested", {{"n", ""}}, {{std::int64_t{3}}}, Json{{"held", {1, 2}}}};
  first.sheets = {rows, empty, nested};
  Document nothing{"nothing", "Nothing", "No table, no figure.", {}, {}, {}};
  Document last{"last", "Last", "", {}, {wide_table()}, {}};
  return {first, nothing, last};
}

}  // namespace elastic::reports
