// Pareto front: score against MSR and against prefill speed-up over `fa` of the same run, one point
// per mode and suite (after the paper's figure 1).

#include <fmt/format.h>

#include <algorithm>

#include "reports/cells.h"
#include "reports/pareto_front.h"
#include "reports/speedup.h"

namespace elastic::reports {
namespace {

struct Candidate {
  const runs::Cell* cell = nullptr;
  std::optional<runs::Estimate> speedup;
  bool on_msr = false, on_speedup = false, on_front = false;
};

std::vector<bool> front_of(const std::vector<Candidate>& candidates, bool msr, bool speedup) {
  std::vector<Objectives> objectives;
  for (const Candidate& candidate : candidates) {
    Objectives point{std::nullopt};
    if (candidate.cell->score) point[0] = candidate.cell->score->value;
    if (msr) point.push_back(candidate.cell->sparsity.msr);
    if (speedup) {
      point.push_back(candidate.speedup ? std::optional(candidate.speedup->value) : std::nullopt);
    }
    // A plane shows only points that have both coordinates.
    if (msr != speedup && !point[1]) point[0].reset();
    objectives.push_back(std::move(point));
  }
  return pareto_front(objectives);
}

std::vector<Candidate> candidates_of(const ReportInput& input, const Subject& subject,
                                     const std::string& suite) {
  const ReportInput::Run& run = input.runs[subject.run];
  std::vector<Candidate> out;
  for (const runs::Cell& cell : run.summary.overall) {
    if (cell.model != subject.model || cell.task != suite || !cell.score) continue;
    out.push_back({&cell, prefill_speedup(run, cell.samples)});
  }
  const auto both = front_of(out, true, true);
  const auto msr = front_of(out, true, false);
  const auto speedup = front_of(out, false, true);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].on_front = both[i];
    out[i].on_msr = msr[i];
    out[i].on_speedup = speedup[i];
  }
  return out;
}

std::vector<Value> sheet_row(const Candidate& candidate) {
  const runs::Cell& cell = *candidate.cell;
  std::optional<double> speedup;
  if (candidate.speedup) speedup = candidate.speedup->value;
  return {
      text_or_null(cell.model),  cell.mode,       cell.task,         number(cell.score->value, 100),
      number(cell.sparsity.msr), number(speedup), candidate.on_front};
}

Json interval_json(const std::optional<runs::Interval>& interval, double scale) {
  if (!interval) return nullptr;
  const auto rounded = [scale](double value) { return std::get<double>(number(value, scale)); };
  return {rounded(interval->low), rounded(interval->high)};
}

Json json_row(const Candidate& candidate, const std::vector<Value>& row) {
  const auto real = [](const Value& value) {
    const double* held = std::get_if<double>(&value);
    return held == nullptr ? Json(nullptr) : Json(*held);
  };
  const runs::Cell& cell = *candidate.cell;
  return {{"model", cell.model.empty() ? Json(nullptr) : Json(cell.model)},
          {"mode", cell.mode},
          {"suite", cell.task},
          {"score", real(row[3])},
          {"msr", real(row[4])},
          {"prefill_speedup_vs_fa", real(row[5])},
          {"on_front", candidate.on_front},
          {"on_front_score_msr", candidate.on_msr},
          {"on_front_score_speedup", candidate.on_speedup},
          {"score_ci", interval_json(cell.score->interval, 100)},
          {"prefill_speedup_ci",
           interval_json(candidate.speedup ? candidate.speedup->interval : std::nullopt, 1)},
          {"n", cell.scored},
          {"planned", cell.planned},
          {"score_rule", cell.score->rule},
          {"speedup_rule", candidate.speedup ? Json(candidate.speedup->rule) : Json(nullptr)}};
}

std::string detail_of(const std::string& name, const Candidate& candidate) {
  const runs::Cell& cell = *candidate.cell;
  std::string text = fmt::format("{}: score {:.1f}", name, cell.score->value * 100);
  if (cell.score->interval) {
    text += fmt::format(" [{:.1f}, {:.1f}]", cell.score->interval->low * 100,
                        cell.score->interval->high * 100);
  }
  if (cell.sparsity.msr) text += fmt::format(", MSR {:.3f}", *cell.sparsity.msr);
  if (candidate.speedup) text += fmt::format(", speed-up {:.2f}x", candidate.speedup->value);
  return text + fmt::format(", n {} of {}", cell.scored, cell.planned);
}

Point point_of(const Candidate& candidate, const Subject& subject, bool speedup) {
  const runs::Cell& cell = *candidate.cell;
  Point point;
  point.x = speedup ? candidate.speedup->value : *cell.sparsity.msr;
  if (speedup) point.x_interval = candidate.speedup->interval;
  point.y = cell.score->value * 100;
  point.y_interval = percent(cell.score->interval);
  point.label = series_name(subject, cell.mode);
  point.detail = detail_of(series_name(subject, cell.mode), candidate);
  point.emphasised = speedup ? candidate.on_speedup : candidate.on_msr;
  point.samples = filter_of(cell, subject.run);
  return point;
}

// Adds the points of one subject: its front as a line, then one series per mode.
void add_series(Chart& chart, const std::vector<Candidate>& candidates, const Subject& subject,
                bool speedup) {
  Series front{
      subject.label.empty() ? "front" : subject.label + " · front", "front", {}, true, false, true};
  std::vector<Series> modes;
  for (const Candidate& candidate : candidates) {
    if (speedup ? !candidate.speedup.has_value() : !candidate.cell->sparsity.msr) continue;
    Series series{series_name(subject, candidate.cell->mode),
                  series_colour(subject, candidate.cell->mode),
                  {}};
    series.points.push_back(point_of(candidate, subject, speedup));
    if (series.points[0].emphasised) front.points.push_back(series.points[0]);
    modes.push_back(std::move(series));
  }
  std::sort(front.points.begin(), front.points.end(),
            [](const Point& a, const Point& b) { return a.x < b.x; });
  for (Point& point : front.points) {
    point.label.clear();
    point.x_interval.reset();
    point.y_interval.reset();
  }
  if (front.points.size() > 1) chart.series.push_back(std::move(front));
  std::move(modes.begin(), modes.end(), std::back_inserter(chart.series));
}

void add_suite(const ReportInput& input, const std::string& suite, Sheet& sheet,
               Document& document) {
  Chart msr, speed;
  msr.title = "Score against sparsity";
  msr.x = {"MSR, share of KV heads in sparse mode", 0.0, 1.0};
  speed.title = "Score against prefill speed";
  speed.x = {"prefill speed-up over fa, ×"};
  speed.x_reference = 1;
  msr.y = speed.y = {"score (0-100)"};
  for (const Subject& subject : subjects(input)) {
    const std::vector<Candidate> candidates = candidates_of(input, subject, suite);
    for (const Candidate& candidate : candidates) {
      std::vector<Value> row = sheet_row(candidate);
      Json json = json_row(candidate, row);
      if (input.runs.size() > 1) {
        row.emplace_back(input.runs[subject.run].name);
        json["run"] = input.runs[subject.run].name;
      }
      sheet.rows.push_back(std::move(row));
      sheet.nested["rows"].push_back(std::move(json));
    }
    add_series(msr, candidates, subject, false);
    add_series(speed, candidates, subject, true);
  }
  Figure figure{"pareto_" + suite, suite_title(input, suite) + ": Pareto front", "", {}};
  if (!msr.series.empty()) figure.panels.emplace_back(std::move(msr));
  if (!speed.series.empty()) figure.panels.emplace_back(std::move(speed));
  if (figure.panels.empty()) return;
  figure.caption =
      "Up and to the right is better. Score: the suite's mean (tasks, then lengths, unweighted); "
      "MSR: mean over samples with the same weights; speed-up: dense prefill time over this mode's "
      "in the same run, median over the samples of a length, then geometric mean of the lengths. "
      "Bars are 95 % intervals; filled points lie on the front of their plane, the dashed "
      "staircase joins them.";
  document.figures.push_back(std::move(figure));
}

}  // namespace

Document pareto_document(const ReportInput& input) {
  Document document{"pareto", "Pareto front", "", {}, {}, {}};
  document.intro =
      "Each point is one mode on one suite. A point is on the front where no other mode of the "
      "same model, run and suite is at least as good in every respect and better in one.";
  Sheet sheet{"pareto", {}, {}, Json::object()};
  for (const char* key :
       {"model", "mode", "suite", "score", "msr", "prefill_speedup_vs_fa", "on_front"}) {
    sheet.columns.push_back({key, ""});
  }
  if (input.runs.size() > 1) sheet.columns.push_back({"run", ""});
  sheet.nested["schema_version"] = runs::kSchemaVersion;
  sheet.nested["rows"] = Json::array();
  std::vector<std::string> suites;
  for (const auto& run : input.runs) {
    for (const std::string& suite : run.summary.suites) {
      if (std::find(suites.begin(), suites.end(), suite) == suites.end()) suites.push_back(suite);
    }
  }
  for (const std::string& suite : suites) add_suite(input, suite, sheet, document);
  document.sheets.push_back(std::move(sheet));
  return document;
}

}  // namespace elastic::reports
