// Pareto front: score against what a mode saves, one point per mode and suite (after the paper's
// figure 1): sparse heads, pruned pairs of the prefill, unread bytes of decode steps, prefill
// speed-up over `fa` of the same run.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reports/cells.h"
#include "reports/pareto_front.h"
#include "reports/speedup.h"

namespace elastic::reports {
namespace {

struct Candidate {
  const runs::Cell* cell = nullptr;
  std::optional<runs::Estimate> speedup;
  std::vector<bool> on_plane;  // of kPlanes
  bool on_front = false;
};

std::optional<double> saved(const std::optional<double>& share) {
  return share ? std::optional(1 - *share) : std::nullopt;
}

// What a mode saves, the more the better.
struct Plane {
  const char* key;
  const char* title;
  Axis x;
  bool compares;  // unlike methods too, so it decides `on_front`
  std::optional<double> (*value)(const Candidate&);
};

const Plane kPlanes[] = {
    {"msr",
     "Score against sparse heads",
     {"MSR, share of KV heads in sparse mode", 0.0, 1.0},
     false,
     [](const Candidate& c) { return c.cell->sparsity.msr; }},
    {"density",
     "Score against prefill density",
     {"pairs left out in prefill, 1 - token density", 0.0, 1.0},
     true,
     [](const Candidate& c) { return c.cell->sparsity.esr_all_layers; }},
    {"reads",
     "Score against decode reads",
     {"bytes left unread in decode, 1 - read share"},
     true,
     [](const Candidate& c) { return saved(c.cell->sparsity.read_share); }},
    {"speedup",
     "Score against prefill speed",
     {"prefill speed-up over fa, ×"},
     true,
     [](const Candidate& c) { return c.speedup ? std::optional(c.speedup->value) : std::nullopt; }},
};
constexpr std::size_t kSpeedup = std::size(kPlanes) - 1;

// Of one plane, which shows only points that have both coordinates, or of all that compare.
std::vector<bool> front_of(const std::vector<Candidate>& candidates, const Plane* only) {
  std::vector<Objectives> objectives;
  for (const Candidate& candidate : candidates) {
    Objectives point{candidate.cell->score->value};
    for (const Plane& plane : kPlanes) {
      if (only == nullptr ? plane.compares : &plane == only) {
        point.push_back(plane.value(candidate));
      }
    }
    if (only != nullptr && !point[1]) point[0].reset();
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
    out.push_back({&cell, prefill_speedup(run, cell.samples), {}, false});
  }
  const auto all = front_of(out, nullptr);
  for (std::size_t i = 0; i < out.size(); ++i) out[i].on_front = all[i];
  for (const Plane& plane : kPlanes) {
    const auto front = front_of(out, &plane);
    for (std::size_t i = 0; i < out.size(); ++i) out[i].on_plane.push_back(front[i]);
  }
  return out;
}

std::vector<Value> sheet_row(const Candidate& candidate) {
  const runs::Cell& cell = *candidate.cell;
  std::optional<double> speedup;
  if (candidate.speedup) speedup = candidate.speedup->value;
  return {text_or_null(cell.model),
          cell.mode,
          cell.task,
          number(cell.score->value, 100),
          number(cell.sparsity.msr),
          number(speedup),
          candidate.on_front,
          number(cell.sparsity.token_density()),
          number(cell.sparsity.read_share)};
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
  Json out = {{"model", cell.model.empty() ? Json(nullptr) : Json(cell.model)},
              {"mode", cell.mode},
              {"suite", cell.task},
              {"score", real(row[3])},
              {"msr", real(row[4])},
              {"prefill_speedup_vs_fa", real(row[5])},
              {"token_density", real(row[7])},
              {"read_share", real(row[8])},
              {"on_front", candidate.on_front},
              {"score_ci", interval_json(cell.score->interval, 100)},
              {"prefill_speedup_ci",
               interval_json(candidate.speedup ? candidate.speedup->interval : std::nullopt, 1)},
              {"n", cell.scored},
              {"planned", cell.planned},
              {"score_rule", cell.score->rule},
              {"speedup_rule", candidate.speedup ? Json(candidate.speedup->rule) : Json(nullptr)}};
  for (std::size_t i = 0; i < std::size(kPlanes); ++i) {
    out[std::string("on_front_score_") + kPlanes[i].key] = static_cast<bool>(candidate.on_plane[i]);
  }
  return out;
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

Point point_of(const Candidate& candidate, const Subject& subject, std::size_t plane) {
  const runs::Cell& cell = *candidate.cell;
  Point point;
  point.x = *kPlanes[plane].value(candidate);
  if (plane == kSpeedup) point.x_interval = candidate.speedup->interval;
  point.y = cell.score->value * 100;
  point.y_interval = percent(cell.score->interval);
  point.label = series_name(subject, cell.mode);
  point.detail = detail_of(series_name(subject, cell.mode), candidate);
  point.emphasised = candidate.on_plane[plane];
  point.samples = filter_of(cell, subject.run);
  return point;
}

// Adds the points of one subject: its front as a line, then one series per mode.
void add_series(Chart& chart, const std::vector<Candidate>& candidates, const Subject& subject,
                std::size_t plane) {
  Series front{
      subject.label.empty() ? "front" : subject.label + " · front", "front", {}, true, false, true};
  std::vector<Series> modes;
  for (const Candidate& candidate : candidates) {
    if (!kPlanes[plane].value(candidate)) continue;
    Series series{series_name(subject, candidate.cell->mode),
                  series_colour(subject, candidate.cell->mode),
                  {}};
    series.points.push_back(point_of(candidate, subject, plane));
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

// A plane on which every mode has the same value tells nothing.
bool tells(const Chart& chart) {
  std::set<double> values;
  for (const Series& series : chart.series) {
    for (const Point& point : series.points) values.insert(point.x);
  }
  return values.size() > 1;
}

void add_suite(const ReportInput& input, const std::string& suite, Sheet& sheet,
               Document& document) {
  std::vector<Chart> charts;
  for (const Plane& plane : kPlanes) {
    Chart& chart = charts.emplace_back();
    chart.title = plane.title;
    chart.x = plane.x;
    chart.y = {"score (0-100)"};
  }
  charts[kSpeedup].x_reference = 1;
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
    for (std::size_t i = 0; i < charts.size(); ++i) add_series(charts[i], candidates, subject, i);
  }
  Figure figure{"pareto_" + suite, suite_title(input, suite) + ": Pareto front", "", {}};
  for (Chart& chart : charts) {
    if (tells(chart)) figure.panels.emplace_back(std::move(chart));
  }
  if (figure.panels.empty()) return;
  figure.caption =
      "Up and to the right is better. Score: the suite's mean (tasks, then lengths, unweighted); "
      "MSR, density and read share: means over samples with the same weights; MSR compares modes "
      "of "
      "one method only; speed-up: dense prefill time over this mode's "
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
      "same model, run and suite is at least as good in score, prefill density, decode reads and "
      "prefill speed and better in one; MSR takes no part, for it counts heads, not work.";
  Sheet sheet{"pareto", {}, {}, Json::object()};
  for (const char* key : {"model", "mode", "suite", "score", "msr", "prefill_speedup_vs_fa",
                          "on_front", "token_density", "read_share"}) {
    sheet.columns.push_back({key, ""});
  }
  if (input.runs.size() > 1) sheet.columns.push_back({"run", ""});
  sheet.nested["schema_version"] = runs::kSchemaVersion;
  sheet.nested["rows"] = Json::array();
  for (const std::string& suite : suites_of(input)) add_suite(input, suite, sheet, document);
  document.sheets.push_back(std::move(sheet));
  return document;
}

}  // namespace elastic::reports
