#pragma once

// Tables and figures *as data*. Reports (reports/registry.h) are functions from runs to a document;
// renderers (reports/render/) turn documents into files and know no report.
//
//   const ReportInput input = make_input(std::move(runs), suite_titles);
//   const std::vector<Document> documents = build_documents(input);
//   render_markdown(documents); render_html(input, documents, ...);
//
// Numbers in a Document are in the unit their column or axis states; an unknown one is
// std::monostate (null in JSON, empty in CSV, a dash for people), never NaN.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "runs/statistics.h"

namespace elastic::reports {

using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

struct Column {
  std::string key;    // name in CSV and JSON
  std::string title;  // for people; the key where empty
  int digits = 1;     // after the point, for people
};

/// Which samples are behind a cell: clicking it in HTML lists them.
struct SampleFilter {
  std::size_t run = 0;
  std::string model, mode, task;               // a suite stands for all its tasks; empty = any
  std::optional<std::int64_t> length;          // nothing = any
  std::optional<std::array<double, 2>> depth;  // percent, [from, to)
  std::string stratum = {};                    // "language=en"; empty = any
};

struct Cell {
  Value value;
  std::optional<runs::Interval> interval;
  // "n of N" is shown where n < N.
  std::int64_t n = 0, planned = 0;
  std::optional<SampleFilter> samples;
  std::optional<double> shade;  // 0..1: heat of the cell's background
  bool strong = false;          // stands out, by the rule of the caption
};

struct Table {
  std::string id, title, caption;
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
  std::vector<std::size_t> rules;  // a line above these rows
  bool folded = false;             // HTML shows it on demand
};

struct Axis {
  std::string title;  // with its unit
  std::optional<double> min, max;
  bool log = false;      // base 2 for tokens, base 10 otherwise
  bool lengths = false;  // ticks are token counts: 1k, 2k, ...
};

struct Point {
  double x = 0, y = 0;
  std::optional<runs::Interval> x_interval, y_interval;
  std::string label;   // short, beside the point; may be empty
  std::string detail;  // one line for the tooltip
  bool emphasised = true;
  std::optional<SampleFilter> samples;
};

struct Series {
  std::string name;
  std::string colour;  // a mode or label; the same text has the same colour in every figure
  std::vector<Point> points;
  bool line = false, markers = true, staircase = false;
};

struct Chart {
  std::string title;
  Axis x, y;
  std::vector<Series> series;
  std::optional<double> x_reference, y_reference;  // a thin line, e.g. speed-up 1
};

/// values[row][column]; nothing = no sample there.
struct Heatmap {
  std::string title;
  std::string x_title, y_title;
  std::vector<std::string> x_labels, y_labels;
  std::vector<std::vector<std::optional<double>>> values;
  std::vector<std::vector<std::int64_t>> counts;  // samples behind each value; may be empty
  std::optional<int> digits;  // values are written into their cells, to so many decimals
};

/// Stacked horizontal bars: one row per label, one segment per part.
struct Bars {
  std::string title;
  std::string x_title;
  std::vector<std::string> parts;
  std::vector<std::string> labels;
  std::vector<std::vector<double>> values;  // [label][part]
};

struct Figure {
  std::string id, title, caption;
  std::vector<std::variant<Chart, Heatmap, Bars>> panels;
  // Of the heatmaps' shared colour bar.
  std::string scale_title;
  double scale_min = 0, scale_max = 1;
};

/// Tidy data that becomes <id>.csv and <id>.json at the top of the output folder.
struct Sheet {
  std::string id;
  std::vector<Column> columns;
  std::vector<std::vector<Value>> rows;
  Json nested;  // what the JSON file holds; null: {"schema_version", "rows": [{...}]}
};

struct Document {
  std::string id, title;
  std::string intro;  // one paragraph: what is shown and how it was computed
  std::vector<Sheet> sheets;
  std::vector<Table> tables;
  std::vector<Figure> figures;

  bool empty() const { return tables.empty() && figures.empty(); }
};

}  // namespace elastic::reports
