#pragma once

// Building blocks of documents: values with sensible digits, score cells with interval and counts,
// and the columns that tell several runs or models apart.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/document.h"
#include "reports/input.h"
#include "runs/paired.h"

namespace elastic::reports {

/// scale * value rounded to `digits` decimals; monostate for unknown and non-finite.
Value number(std::optional<double> value, double scale = 1, int digits = 4);
Value count(std::int64_t value);
Value text_or_null(std::string text);

/// Of a run's settings or environment; empty where the key is not there.
std::string value_of(const std::map<std::string, std::string>& facts, const std::string& key);

/// An interval of scores in 0..1 as it is printed, 0..100.
std::optional<runs::Interval> percent(const std::optional<runs::Interval>& interval);

/// Score of a cell in 0..100 with its interval, "n of N" and the way to its samples.
Cell score_cell(const runs::Cell& cell, std::size_t run);

/// An estimate as it is, with its interval.
Cell estimate_cell(const std::optional<runs::Estimate>& estimate);

/// Difference b - a in points with its interval.
Cell difference_cell(const runs::PairedResult& result);

/// Columns "Δ to fa" and "p" of a cell: bold where the difference is more than chance; without one,
/// dashes.
std::vector<Cell> difference_cells(const Difference* difference);
inline constexpr std::string_view kDifferenceNote =
    "Δ to fa: mean difference over the samples that both modes answered, paired, with a 95 % "
    "interval; p: of its test, adjusted by Benjamini-Hochberg. Bold: p < .05.";

Cell cell(Value value);
Cell cell(std::string text);

/// Filter for the samples of a summary cell (an aggregate's task is its suite).
SampleFilter filter_of(const runs::Cell& cell, std::size_t run);

/// One system under test: a run and a model in it.
struct Subject {
  std::size_t run = 0;
  std::string model;
  std::string label;  // empty where there is only one
};
std::vector<Subject> subjects(const ReportInput& input);

/// "label · mode" where there are several subjects, else the mode.
std::string series_name(const Subject& subject, std::string_view mode);

/// Colour of a series: the mode's own, or one per series where several subjects share modes.
std::string series_colour(const Subject& subject, std::string_view mode);

/// "ruler/niah_single_1" -> "niah_single_1"; the suite is in the caption.
std::string short_task(std::string_view task);

/// Suites of all runs, in the order of the runs.
std::vector<std::string> suites_of(const ReportInput& input);

/// "RULER", "LongBench", ... for titles.
std::string suite_title(const ReportInput& input, const std::string& suite);

}  // namespace elastic::reports
