#include "reports/cells.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace elastic::reports {

Value number(std::optional<double> value, double scale, int digits) {
  if (!value || !std::isfinite(*value)) return std::monostate();
  const double unit = std::pow(10.0, digits);
  const double rounded = std::round(*value * scale * unit) / unit;
  return std::isfinite(rounded) ? Value(rounded + 0.0) : Value(*value * scale);  // + 0.0: no -0
}

std::optional<runs::Interval> percent(const std::optional<runs::Interval>& interval) {
  if (!interval) return std::nullopt;
  return runs::Interval{interval->low * 100, interval->high * 100};
}

Value count(std::int64_t value) { return value; }

Value text_or_null(std::string text) {
  if (text.empty()) return std::monostate();
  return text;
}

std::string value_of(const std::map<std::string, std::string>& facts, const std::string& key) {
  const auto at = facts.find(key);
  return at == facts.end() ? "" : at->second;
}

SampleFilter filter_of(const runs::Cell& cell, std::size_t run) {
  SampleFilter filter{run, cell.model, cell.mode, cell.task, std::nullopt, std::nullopt};
  if (cell.length != 0) filter.length = cell.length;
  return filter;
}

Cell score_cell(const runs::Cell& cell, std::size_t run) {
  Cell out;
  out.n = cell.scored;
  out.planned = cell.planned;
  if (cell.planned > 0) out.samples = filter_of(cell, run);
  if (!cell.score) return out;
  out.value = number(cell.score->value, 100);
  out.shade = cell.score->value;
  out.interval = percent(cell.score->interval);
  return out;
}

Cell estimate_cell(const std::optional<runs::Estimate>& estimate) {
  Cell out;
  if (!estimate) return out;
  out.value = number(estimate->value);
  out.interval = estimate->interval;
  return out;
}

Cell difference_cell(const runs::PairedResult& result) {
  Cell out = cell(number(result.difference, 100));
  out.interval = percent(result.interval);
  return out;
}

std::vector<Cell> difference_cells(const Difference* difference) {
  if (difference == nullptr) return {Cell(), Cell()};
  Cell points = difference_cell(difference->result);
  points.strong = difference->significant();
  return {points, cell(number(difference->result.adjusted_p))};
}

Cell cell(Value value) {
  Cell out;
  out.value = std::move(value);
  return out;
}

Cell cell(std::string text) { return cell(Value(std::move(text))); }

std::vector<Subject> subjects(const ReportInput& input) {
  std::set<std::string> models;
  for (const auto& run : input.runs)
    models.insert(run.summary.models.begin(), run.summary.models.end());
  std::vector<Subject> out;
  for (std::size_t i = 0; i < input.runs.size(); ++i) {
    for (const std::string& model : input.runs[i].summary.models) {
      std::string label = input.runs.size() > 1 ? input.runs[i].name : "";
      if (models.size() > 1 && label != model) label += (label.empty() ? "" : " · ") + model;
      out.push_back({i, model, label});
    }
  }
  return out;
}

std::string series_name(const Subject& subject, std::string_view mode) {
  return subject.label.empty() ? std::string(mode) : subject.label + " · " + std::string(mode);
}

std::string series_colour(const Subject& subject, std::string_view mode) {
  return subject.label.empty() ? std::string(mode) : series_name(subject, mode);
}

std::string short_task(std::string_view task) {
  const std::size_t slash = task.find('/');
  return std::string(slash == std::string_view::npos ? task : task.substr(slash + 1));
}

std::vector<std::string> suites_of(const ReportInput& input) {
  std::vector<std::string> suites;
  for (const auto& run : input.runs) {
    for (const std::string& suite : run.summary.suites) {
      if (std::find(suites.begin(), suites.end(), suite) == suites.end()) suites.push_back(suite);
    }
  }
  return suites;
}

std::string suite_title(const ReportInput& input, const std::string& suite) {
  const auto found = input.suite_titles.find(suite);
  return found == input.suite_titles.end() ? suite : found->second;
}

}  // namespace elastic::reports
