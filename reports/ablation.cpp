#include "reports/ablation.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "engine/api/mode_list.h"
#include "reports/cells.h"
#include "reports/published_ablations.h"

namespace elastic::reports {
namespace {

// The suite's overall cell of a mode, the first suite of the run; null without one.
const runs::Cell* overall(const ReportInput::Run& run, std::string_view mode) {
  for (const runs::Cell& cell : run.summary.overall) {
    if (engine::mode_name(cell.mode) == mode) return &cell;
  }
  return nullptr;
}

const PublishedPoint* published_at(const PublishedAblation* paper, std::string_view setting) {
  if (paper == nullptr) return nullptr;
  for (const PublishedPoint& point : paper->points) {
    if (point.setting == setting) return &point;
  }
  return nullptr;
}

// Mean MSR of a task over its lengths.
std::optional<double> task_msr(const ReportInput::Run& run, std::string_view mode,
                               std::string_view task) {
  double sum = 0;
  int n = 0;
  for (const runs::Cell& cell : run.summary.cells) {
    if (cell.task != task || engine::mode_name(cell.mode) != mode || !cell.sparsity.msr) continue;
    sum += *cell.sparsity.msr;
    ++n;
  }
  if (n == 0) return std::nullopt;
  return sum / n;
}

struct Row {
  std::string setting;
  const runs::Cell* cell = nullptr;
  std::size_t run = 0;
  const TrainingCurves* curves = nullptr;  // null: a baseline
  const PublishedPoint* paper = nullptr;
};

std::vector<Row> rows_of(const Ablation& ablation, const ReportInput& input,
                         const PublishedAblation* paper) {
  std::vector<Row> rows;
  for (const std::string& mode : input.runs[ablation.baseline].summary.modes) {
    if (engine::has_two_modes(mode)) continue;
    rows.push_back({fmt::format("{}, no router", mode),
                    overall(input.runs[ablation.baseline], mode), ablation.baseline});
  }
  for (const AblationPoint& point : ablation.points) {
    rows.push_back({point.setting, overall(input.runs[point.run], ablation.mode), point.run,
                    &point.curves, published_at(paper, point.setting)});
  }
  return rows;
}

Table table_of(const std::vector<Row>& rows, const PublishedAblation* paper) {
  Table table{"ablation", "Settings", "", {}, {}, {2}};
  table.columns = {{"setting", paper ? std::string(paper->setting) : "setting"},
                   {"score", "score"},
                   {"delta_to_fa", "Δ to fa"},
                   {"msr", "MSR", 3},
                   {"training_lm", "training lm", 3},
                   {"training_msr", "training MSR", 3},
                   {"paper_score", "paper: score", 2},
                   {"paper_msr", "paper: MSR", 3}};
  const runs::Cell* dense = rows.front().cell;
  for (const Row& row : rows) {
    std::vector<Cell> cells{cell(row.setting)};
    std::optional<double> delta, msr;
    if (row.cell != nullptr) {
      msr = row.cell->sparsity.msr;
      const bool both = dense != nullptr && dense != row.cell && dense->score && row.cell->score;
      if (both) delta = row.cell->score->value - dense->score->value;
    }
    cells.push_back(row.cell ? score_cell(*row.cell, row.run) : Cell());
    cells.push_back(cell(number(delta, 100)));
    cells.push_back(cell(number(msr)));
    cells.push_back(cell(number(row.curves ? last_mean(*row.curves, "lm") : std::nullopt)));
    cells.push_back(cell(number(row.curves ? last_mean(*row.curves, "msr") : std::nullopt)));
    cells.push_back(cell(row.paper ? number(row.paper->score) : Value()));
    cells.push_back(cell(row.paper ? number(row.paper->msr) : Value()));
    table.rows.push_back(std::move(cells));
  }
  table.caption =
      "Score: the suite's mean (0-100) with its 95 % interval. Training lm and MSR: means over the "
      "last tenth of the steps. ";
  if (paper != nullptr) {
    table.caption += fmt::format("Paper: {}; another model and benchmark, so compare the shape.",
                                 paper->measure);
  }
  return table;
}

Table tasks_table(const Ablation& ablation, const ReportInput& input) {
  Table table{"ablation_msr",
              "MSR by task",
              "Mean over lengths of the share of sparse KV heads.",
              {{"setting", "setting"}},
              {},
              {}};
  const auto& tasks = input.runs[ablation.baseline].summary.tasks;
  for (const std::string& task : tasks) table.columns.push_back({task, short_task(task), 3});
  for (const AblationPoint& point : ablation.points) {
    std::vector<Cell> cells{cell(point.setting)};
    for (const std::string& task : tasks) {
      const auto msr = task_msr(input.runs[point.run], ablation.mode, task);
      cells.push_back(cell(number(msr)));
      cells.back().shade = msr;
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Point point_of(const Row& row, double x) {
  Point point;
  point.x = x;
  point.y = row.cell->score->value * 100;
  point.y_interval = percent(row.cell->score->interval);
  point.label = row.setting;
  point.detail =
      fmt::format("{}: score {:.1f}, MSR {:.3f}, n {} of {}", row.setting, point.y,
                  row.cell->sparsity.msr.value_or(0), row.cell->scored, row.cell->planned);
  point.samples = filter_of(*row.cell, row.run);
  return point;
}

Chart score_chart(const std::vector<Row>& rows, const std::string& mode) {
  Chart chart;
  chart.title = "Score against sparsity, here";
  chart.x = {"MSR, share of KV heads in sparse mode", 0.0, 1.0};
  chart.y = {"score (0-100)"};
  Series routed{mode, mode, {}, true};
  for (const Row& row : rows) {
    if (row.cell == nullptr || !row.cell->score || !row.cell->sparsity.msr) continue;
    Point point = point_of(row, *row.cell->sparsity.msr);
    if (row.curves != nullptr) {
      routed.points.push_back(std::move(point));
      continue;
    }
    const std::string name(engine::mode_name(row.cell->mode));
    chart.series.push_back({name, name, {std::move(point)}});
  }
  std::stable_sort(routed.points.begin(), routed.points.end(),
                   [](const Point& a, const Point& b) { return a.x < b.x; });
  if (!routed.points.empty()) chart.series.push_back(std::move(routed));
  return chart;
}

// Against the MSR where the paper prints it, else against the setting.
Chart paper_chart(const PublishedAblation& paper) {
  const bool sparsity = paper.points.front().msr.has_value();
  Chart chart;
  chart.title = "Paper";
  chart.x =
      sparsity ? Axis{"MSR, share of KV heads in sparse mode"} : Axis{std::string(paper.setting)};
  chart.y = {std::string(paper.measure.substr(0, paper.measure.find(','))) + " (0-100)"};
  Series series{"paper", "paper", {}, true};
  for (const PublishedPoint& published : paper.points) {
    const std::optional<double> x =
        sparsity ? published.msr : parse_double(std::string(published.setting));
    if (!x) continue;
    Point point;
    point.x = *x;
    point.y = published.score;
    point.label = published.setting;
    point.detail = fmt::format("{}: score {:.2f}", published.setting, published.score);
    series.points.push_back(std::move(point));
  }
  std::stable_sort(series.points.begin(), series.points.end(),
                   [](const Point& a, const Point& b) { return a.x < b.x; });
  chart.series.push_back(std::move(series));
  return chart;
}

// How far the router tells tasks apart at each setting that is a number.
Chart msr_chart(const Ablation& ablation, const ReportInput& input,
                const PublishedAblation* paper) {
  Chart chart;
  chart.title = "MSR by task, here";
  chart.x = {paper ? std::string(paper->setting) : "setting"};
  chart.y = {"MSR", 0.0, 1.0};
  for (const std::string& task : input.runs[ablation.baseline].summary.tasks) {
    Series series{short_task(task), task, {}, true};
    for (const AblationPoint& at : ablation.points) {
      const std::optional<double> x = parse_double(at.setting);
      const auto msr = task_msr(input.runs[at.run], ablation.mode, task);
      if (!x || !msr) continue;
      Point point;
      point.x = *x;
      point.y = *msr;
      point.detail = fmt::format("{}, {}: MSR {:.3f}", short_task(task), at.setting, *msr);
      series.points.push_back(std::move(point));
    }
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  return chart;
}

Sheet sheet_of(const Ablation& ablation, const Table& table) {
  Sheet sheet{"ablation_" + ablation.name, table.columns, {}, {}};
  for (const auto& row : table.rows) {
    std::vector<Value> values;
    values.reserve(row.size());
    for (const Cell& cell : row) values.push_back(cell.value);
    sheet.rows.push_back(std::move(values));
  }
  return sheet;
}

}  // namespace

Document ablation_document(const Ablation& ablation, const ReportInput& input) {
  const PublishedAblation* paper = find_published_ablation(ablation.name);
  const std::vector<Row> rows = rows_of(ablation, input, paper);
  Document document{"ablation", "Ablation: " + ablation.name, "", {}, {}, {}};
  document.intro = fmt::format(
      "One setting of the router changed, everything else equal: a router trained and run for each "
      "value on the same prompts{}{}.",
      paper ? "; varied: " : "", paper ? paper->setting : "");
  document.tables = {table_of(rows, paper), tasks_table(ablation, input)};
  document.sheets = {sheet_of(ablation, document.tables.front())};
  Figure figure{"ablation_" + ablation.name,
                "Score and sparsity at each setting",
                "Labels are settings; bars are 95 % intervals.",
                {}};
  for (const Chart& chart : {score_chart(rows, ablation.mode), msr_chart(ablation, input, paper)}) {
    if (!chart.series.empty()) figure.panels.emplace_back(chart);
  }
  if (paper != nullptr) figure.panels.emplace_back(paper_chart(*paper));
  document.figures.push_back(std::move(figure));
  return document;
}

}  // namespace elastic::reports
