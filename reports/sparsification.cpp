// Score against MSR while heads turn sparse one after another (elastic_attention spec 5.4; the
// paper's figure 2 and table 5), by category: of every run with modes that differ in nothing but
// `sparsity` or `threshold`, the cut through a pattern or the number of random heads.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "engine/api/mode_list.h"
#include "reports/cells.h"
#include "reports/published.h"
#include "reports/registry.h"

namespace elastic::reports {
namespace {

constexpr std::size_t kFewest = 3;  // points that make a sweep

// The mode without its cut; empty for one that has none.
std::string uncut(const std::string& mode) {
  const std::string name(engine::mode_name(mode));
  if (name.size() == mode.size()) return "";
  std::vector<std::string> options = split_list(mode.substr(name.size() + 1));
  const std::size_t cuts = std::erase_if(options, [](const std::string& option) {
    return option.starts_with("sparsity=") || option.starts_with("threshold=");
  });
  if (cuts == 0) return "";
  return options.empty() ? name : name + ":" + join(options, ",");
}

struct Sweep {
  std::string name;
  std::vector<std::string> modes;
};

std::vector<Sweep> sweeps_of(const runs::Summary& summary) {
  std::vector<Sweep> sweeps;
  for (const std::string& mode : summary.modes) {
    const std::string name = uncut(mode);
    if (name.empty()) continue;
    auto known = std::find_if(sweeps.begin(), sweeps.end(),
                              [&](const Sweep& sweep) { return sweep.name == name; });
    if (known == sweeps.end()) known = sweeps.insert(known, {name, {}});
    known->modes.push_back(mode);
  }
  return sweeps;
}

// One mode of a sweep on one suite.
struct Level {
  double msr = 0;
  std::vector<runs::Cell> scores;  // by SuiteCurves::categories
};

struct Curve {
  Subject subject;
  std::string name;
  std::vector<Level> levels;  // by MSR, dense attention first
};

struct SuiteCurves {
  std::string suite;
  std::vector<std::string> categories;  // and at the end kAll
  std::vector<Curve> curves;
};

constexpr const char* kAll = "all tasks";
constexpr const char* kPublishedSuite = "longbench";  // of the paper's table 5
constexpr const char* kPublishedSweep = "paper, Llama-3.1-8B-Instruct";

// Unweighted mean of the category's tasks and lengths.
runs::Cell category_cell(const runs::Summary& summary, const runs::Cell& all,
                         const std::string& category) {
  runs::Cell out;
  out.model = all.model;
  out.mode = all.mode;
  out.task = all.task;
  std::vector<runs::Estimate> parts;
  for (const runs::Cell& cell : summary.cells) {
    if (cell.model != out.model || cell.mode != out.mode || cell.category != category ||
        runs::suite_of(cell.task) != out.task) {
      continue;
    }
    out.planned += cell.planned;
    out.scored += cell.scored;
    if (cell.score) parts.push_back(*cell.score);
  }
  out.score = runs::mean_of_estimates(parts, "tasks");
  return out;
}

// What was not run, or whose records know no MSR, is left out.
void add_level(const runs::Summary& summary, const SuiteCurves& block, const std::string& mode,
               Curve& curve) {
  const runs::Cell* all =
      runs::find_cell(summary.overall, curve.subject.model, mode, block.suite, 0);
  if (all == nullptr || !all->sparsity.msr) return;
  Level level{*all->sparsity.msr, {}};
  for (const std::string& category : block.categories) {
    level.scores.push_back(category == kAll ? *all : category_cell(summary, *all, category));
  }
  curve.levels.push_back(std::move(level));
}

std::vector<std::string> categories_of(const ReportInput& input, const std::string& suite) {
  std::vector<std::string> categories;
  for (const ReportInput::Run& run : input.runs) {
    for (const runs::Cell& cell : run.summary.cells) {
      if (!cell.category.empty() && runs::suite_of(cell.task) == suite &&
          std::find(categories.begin(), categories.end(), cell.category) == categories.end()) {
        categories.push_back(cell.category);
      }
    }
  }
  categories.emplace_back(kAll);
  return categories;
}

SuiteCurves curves_of(const ReportInput& input, const std::string& suite) {
  SuiteCurves block{suite, categories_of(input, suite), {}};
  for (const Subject& subject : subjects(input)) {
    const runs::Summary& summary = input.runs[subject.run].summary;
    for (const Sweep& sweep : sweeps_of(summary)) {
      Curve curve{subject, series_name(subject, sweep.name), {}};
      add_level(summary, block, runs::dense_mode(summary.modes), curve);
      for (const std::string& mode : sweep.modes) add_level(summary, block, mode, curve);
      std::stable_sort(curve.levels.begin(), curve.levels.end(),
                       [](const Level& a, const Level& b) { return a.msr < b.msr; });
      if (curve.levels.size() >= kFewest) block.curves.push_back(std::move(curve));
    }
  }
  return block;
}

// Percent of the score without sparse heads, where there is one.
Value kept(const Curve& curve, const Level& level, std::size_t category) {
  const auto& dense = curve.levels.front().scores[category].score;
  const auto& score = level.scores[category].score;
  if (curve.levels.front().msr > 0 || !dense || !score || dense->value <= 0) return {};
  return number(score->value / dense->value, 100);
}

void add_rows(const SuiteCurves& block, Sheet& sheet) {
  for (const Curve& curve : block.curves) {
    for (const Level& level : curve.levels) {
      for (std::size_t i = 0; i < block.categories.size(); ++i) {
        const Cell score = score_cell(level.scores[i], curve.subject.run);
        sheet.rows.push_back({curve.subject.model, block.suite, curve.name, level.scores[i].mode,
                              number(level.msr), block.categories[i], score.value,
                              score.interval ? number(score.interval->low) : Value(),
                              score.interval ? number(score.interval->high) : Value(),
                              kept(curve, level, i), count(score.n), count(score.planned)});
      }
    }
  }
}

using MakeCell = Cell (*)(const Curve&, const Level&, std::size_t category);

Table table_of(const SuiteCurves& block, std::string id, std::string title, MakeCell make) {
  Table table{std::move(id), std::move(title), "", {}, {}, {}};
  table.columns = {{"sweep", "Sweep"}, {"msr", "MSR", 3}};
  for (const std::string& category : block.categories) table.columns.push_back({category, ""});
  for (const Curve& curve : block.curves) {
    if (!table.rows.empty()) table.rules.push_back(table.rows.size());
    for (const Level& level : curve.levels) {
      std::vector<Cell> row{cell(curve.name), cell(number(level.msr))};
      for (std::size_t i = 0; i < block.categories.size(); ++i) {
        row.push_back(make(curve, level, i));
      }
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

Table score_table(const SuiteCurves& block, const std::string& title) {
  Table table = table_of(block, "sparsification_" + block.suite, title + ": score by MSR",
                         [](const Curve& curve, const Level& level, std::size_t category) {
                           return score_cell(level.scores[category], curve.subject.run);
                         });
  table.caption =
      "Mean score (0-100) with 95 % intervals; a category is the unweighted mean of its tasks and "
      "lengths. MSR 0 is dense attention.";
  return table;
}

// What the paper calls a category of LongBench.
std::string_view published_name(std::string_view category) {
  if (category == "Multi-Doc QA") return "Multi-Hop QA";
  return category == "Few-shot Learning" ? "Few-Shot" : category;
}

void add_published_rows(const SuiteCurves& block, Table& table) {
  table.rules.push_back(table.rows.size());
  std::string_view level;
  for (const PublishedNumber& published : published_numbers("table5")) {
    if (published.row != level) {
      level = published.row;
      table.rows.push_back({cell(std::string(kPublishedSweep)), cell(number(parse_double(level)))});
      table.rows.back().resize(table.columns.size());
    }
    const auto category = std::ranges::find(block.categories, published.column, published_name);
    if (category == block.categories.end()) continue;
    constexpr std::ptrdiff_t kLeading = 2;  // columns before the categories
    const auto column = static_cast<std::size_t>(category - block.categories.begin() + kLeading);
    table.rows.back()[column] = cell(number(published.value));
  }
}

Table kept_table(const SuiteCurves& block, const std::string& title) {
  Table table = table_of(block, "sparsification_kept_" + block.suite,
                         title + ": score kept, in percent of dense attention",
                         [](const Curve& curve, const Level& level, std::size_t category) {
                           return cell(kept(curve, level, category));
                         });
  table.caption = "As the paper's table 5; unknown where dense attention has no score above 0.";
  if (block.suite == kPublishedSuite) add_published_rows(block, table);
  return table;
}

Series series_of(const Curve& curve, std::size_t category, const std::string& name) {
  Series series{name, name, {}, true};
  for (const Level& level : curve.levels) {
    const runs::Cell& found = level.scores[category];
    if (!found.score) continue;
    Point point{level.msr, found.score->value * 100};
    const Cell score = score_cell(found, curve.subject.run);
    point.y_interval = score.interval;
    point.detail = fmt::format("{}: {:.1f} at MSR {:.3f}, n {} of {}", name, point.y, level.msr,
                               found.scored, found.planned);
    series.points.push_back(std::move(point));
  }
  return series;
}

Chart chart_of(std::string title) {
  return {std::move(title), {"MSR, share of sparse KV heads", 0.0, 1.0}, {"score (0-100)"}, {}};
}

// Without the folder of its pattern, for which the title of a panel has no room.
std::string short_name(std::string sweep) {
  constexpr std::string_view kPattern = "pattern=";
  const std::size_t at = sweep.find(kPattern), slash = sweep.rfind('/');
  if (at == std::string::npos || slash == std::string::npos || slash < at) return sweep;
  const std::size_t path = at + kPattern.size();
  return sweep.erase(path, slash + 1 - path);
}

// A panel a sweep with a line a category; with several sweeps, one of them all.
Figure figure_of(const SuiteCurves& block, const std::string& title) {
  Figure figure{"sparsification_" + block.suite, title + ": score as heads turn sparse", "", {}};
  figure.caption = "Bars are 95 % intervals. MSR 0 is dense attention.";
  Chart all = chart_of(kAll);
  for (const Curve& curve : block.curves) {
    Chart chart = chart_of(short_name(curve.name));
    for (std::size_t i = 0; i < block.categories.size(); ++i) {
      chart.series.push_back(series_of(curve, i, block.categories[i]));
    }
    figure.panels.emplace_back(std::move(chart));
    all.series.push_back(series_of(curve, block.categories.size() - 1, curve.name));
  }
  if (all.series.size() > 1) figure.panels.emplace_back(std::move(all));
  return figure;
}

}  // namespace

Document sparsification_document(const ReportInput& input) {
  Document document{"sparsification", "Heads turned sparse", "", {}, {}, {}};
  Sheet sheet{"sparsification", {}, {}, {}};
  for (const char* key : {"model", "suite", "sweep", "mode", "msr", "category", "score", "ci_low",
                          "ci_high", "kept", "n", "planned"}) {
    sheet.columns.push_back({key, ""});
  }
  for (const std::string& suite : suites_of(input)) {
    const SuiteCurves block = curves_of(input, suite);
    if (block.curves.empty()) continue;
    const std::string title = suite_title(input, suite);
    add_rows(block, sheet);
    document.figures.push_back(figure_of(block, title));
    document.tables.push_back(score_table(block, title));
    document.tables.push_back(kept_table(block, title));
  }
  if (document.empty()) return document;
  document.intro =
      "Modes that differ only in how many heads are sparse, in the order of a pattern file or "
      "drawn at random. MSR is what the records say; figure 2 and table 5 of the paper are of "
      "LongBench, with streaming heads in ascending order of retrieval score.";
  document.sheets.push_back(std::move(sheet));
  return document;
}

}  // namespace elastic::reports
