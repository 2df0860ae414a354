#include "reports/training_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "reports/cells.h"

namespace elastic::reports {
namespace {

constexpr std::size_t kPoints = 120;  // of a drawn line: each the mean of as many steps as it takes
constexpr double kDiverged = 1e30;    // a number of that size, or none, is a gap

std::optional<double> field(const std::string& text, const std::string& where) {
  if (text.empty()) return std::nullopt;
  const std::optional<double> value = parse_double(text);
  if (!value) throw Error(ErrorKind::kCorrupt, fmt::format("{}: `{}` is no number", where, text));
  return std::abs(*value) < kDiverged ? value : std::nullopt;
}

// Means of equal stretches of steps; a stretch without a value has no point.
std::vector<Point> line_of(const TrainingCurves& curves, const std::string& column) {
  const auto& values = curves.values.at(column);
  const auto& steps = curves.values.at("step");
  const std::size_t stride = std::max<std::size_t>(1, (values.size() + kPoints - 1) / kPoints);
  std::vector<Point> points;
  for (std::size_t first = 0; first < values.size(); first += stride) {
    double sum = 0, at = 0;
    std::size_t n = 0;
    for (std::size_t i = first; i < std::min(first + stride, values.size()); ++i) {
      if (!values[i] || !steps[i]) continue;
      sum += *values[i];
      at += *steps[i];
      ++n;
    }
    if (n == 0) continue;
    Point point;
    point.x = at / static_cast<double>(n);
    point.y = sum / static_cast<double>(n);
    point.detail = fmt::format("{}: {:.4g} about step {:.0f}", column, point.y, point.x);
    points.push_back(std::move(point));
  }
  return points;
}

// One panel with a line for each of `columns` that the file has; `prefix` is cut off their names.
void add_panel(Figure& figure, const TrainingCurves& curves, const char* title, const char* y_title,
               const std::vector<std::string>& columns, std::size_t prefix = 0) {
  Chart chart;
  chart.title = title;
  chart.x = {"step"};
  chart.y = {y_title};
  for (const std::string& column : columns) {
    if (!curves.values.contains(column)) continue;
    const std::string name = column.substr(prefix);
    Series series{name, name, line_of(curves, column), true, false};
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  if (!chart.series.empty()) figure.panels.emplace_back(std::move(chart));
}

std::vector<std::string> with_prefix(const TrainingCurves& curves, std::string_view prefix) {
  std::vector<std::string> columns;
  for (const std::string& column : curves.columns) {
    if (column.starts_with(prefix)) columns.push_back(column);
  }
  return columns;
}

Figure figure_of(const TrainingCurves& curves) {
  Figure figure{
      "training_" + curves.name,
      "Training curves: " + curves.name,
      "Lines are means of equal stretches of steps. `lm` is the language-modelling loss, "
      "`reg` the sparsity term, both parts of `loss`; MSR is the share of sparse KV heads "
      "of a task's documents; multipliers ascend while their task misses its target.",
      {}};
  add_panel(figure, curves, "Loss", "loss", {"loss", "lm", "answer"});
  add_panel(figure, curves, "Sparsity term", "reg", {"reg"});
  add_panel(figure, curves, "Share of sparse heads by task", "MSR", with_prefix(curves, "msr."), 4);
  add_panel(figure, curves, "Multipliers of |D| by task", "lambda 1",
            with_prefix(curves, "lambda1."), 8);
  add_panel(figure, curves, "Multipliers of D² by task", "lambda 2",
            with_prefix(curves, "lambda2."), 8);
  add_panel(figure, curves, "Gumbel-softmax temperature", "tau", {"tau"});
  return figure;
}

Sheet sheet_of(const TrainingCurves& curves) {
  Sheet sheet{"training_" + curves.name, {}, {}, {}};
  for (const std::string& column : curves.columns) sheet.columns.push_back({column, ""});
  const std::size_t rows = curves.values.at("step").size();
  for (std::size_t row = 0; row < rows; ++row) {
    std::vector<Value> values;
    for (const std::string& column : curves.columns) {
      values.push_back(number(curves.values.at(column)[row], 1, 8));
    }
    sheet.rows.push_back(std::move(values));
  }
  return sheet;
}

}  // namespace

TrainingCurves parse_training_curves(std::string_view text, const std::string& source) {
  const auto rows = parse_csv(text, source);
  if (rows.empty() || rows.front().empty() || rows.front().front() != "step") {
    throw Error(ErrorKind::kCorrupt, source + ": no header line that starts with `step`");
  }
  TrainingCurves curves;
  curves.columns = rows.front();
  for (const std::string& column : curves.columns) {
    if (!curves.values.try_emplace(column).second) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: two columns are named `{}`", source, column));
    }
  }
  for (std::size_t line = 1; line < rows.size(); ++line) {
    const std::string where = fmt::format("{}: line {}", source, line + 1);
    if (rows[line].size() != curves.columns.size()) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: {} fields, the header has {}", where,
                                                   rows[line].size(), curves.columns.size()));
    }
    for (std::size_t i = 0; i < curves.columns.size(); ++i) {
      curves.values[curves.columns[i]].push_back(
          field(rows[line][i], where + ": " + curves.columns[i]));
    }
  }
  return curves;
}

TrainingCurves read_training_curves(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "curves.csv";
  TrainingCurves curves = parse_training_curves(read_file(path), path.string());
  const auto normal = std::filesystem::absolute(folder).lexically_normal();
  curves.name = (normal.has_filename() ? normal : normal.parent_path()).filename().string();
  return curves;
}

std::optional<double> last_mean(const TrainingCurves& curves, const std::string& column) {
  const auto found = curves.values.find(column);
  if (found == curves.values.end()) return std::nullopt;
  const auto& values = found->second;
  const std::size_t tenth = (values.size() + 9) / 10;
  double sum = 0;
  std::size_t n = 0;
  for (std::size_t i = values.size() - tenth; i < values.size(); ++i) {
    if (!values[i]) continue;
    sum += *values[i];
    ++n;
  }
  if (n == 0) return std::nullopt;
  return sum / static_cast<double>(n);
}

Document training_document(const std::vector<TrainingCurves>& trainings) {
  Document document{"training", "Training", "", {}, {}, {}};
  document.intro = "What the trainer wrote step by step (docs/training.md).";
  for (const TrainingCurves& curves : trainings) {
    document.figures.push_back(figure_of(curves));
    document.sheets.push_back(sheet_of(curves));
  }
  return document;
}

}  // namespace elastic::reports
