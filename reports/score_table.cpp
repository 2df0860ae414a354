// Score by task and length for every mode: the table of RULER's paper with the modes side by side.
// Suites without lengths get one row per task and one column per mode.

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "reports/cells.h"

namespace elastic::reports {
namespace {

using runs::Summary;

std::vector<std::string> tasks_of(const Summary& summary, const std::string& suite) {
  std::vector<std::string> tasks;
  for (const std::string& task : summary.tasks) {
    if (runs::suite_of(task) == suite) tasks.push_back(task);
  }
  return tasks;
}

std::vector<std::int64_t> lengths_of(const Summary& summary, const std::string& suite) {
  std::vector<std::int64_t> lengths;
  for (const std::int64_t length : summary.lengths) {
    const bool used =
        std::any_of(summary.by_length.begin(), summary.by_length.end(),
                    [&](const auto& cell) { return cell.task == suite && cell.length == length; });
    if (used) lengths.push_back(length);
  }
  return lengths;
}

// Mean over the lengths of one task and mode; for the last column.
runs::Cell mean_over_lengths(const Summary& summary, const Subject& subject,
                             const std::string& mode, const std::string& task) {
  runs::Cell out;
  out.model = subject.model;
  out.mode = mode;
  out.task = task;
  std::vector<runs::Estimate> parts;
  for (const runs::Cell& cell : summary.cells) {
    if (cell.model != subject.model || cell.mode != mode || cell.task != task) continue;
    out.planned += cell.planned;
    out.scored += cell.scored;
    if (cell.score) parts.push_back(*cell.score);
  }
  out.score = runs::mean_of_estimates(parts, "lengths");
  return out;
}

// A cell's score; bold where its difference to the dense mode, of `differences`, is significant.
Cell marked_score(const runs::Cell& cell, const std::vector<Difference>& differences,
                  std::size_t run) {
  Cell out = score_cell(cell, run);
  const Difference* difference = find_difference(differences, cell);
  out.strong = difference != nullptr && difference->significant();
  return out;
}

Cell found_score(const std::vector<runs::Cell>& cells, const std::vector<Difference>& differences,
                 const Subject& subject, const std::string& mode, const std::string& task,
                 std::int64_t length) {
  const runs::Cell* cell = runs::find_cell(cells, subject.model, mode, task, length);
  return cell == nullptr ? Cell() : marked_score(*cell, differences, subject.run);
}

constexpr const char* kBoldNote = " A bold score differs so from fa's of the same samples.";

struct Block {
  const ReportInput& input;
  const std::string& suite;
  const std::vector<Subject>& subjects;
};

// Scores of a task, or of the whole suite, at the lengths, their mean and its difference.
std::vector<Cell> row_by_length(const Block& block, const Subject& subject, const std::string& mode,
                                const std::string& task, const std::vector<std::int64_t>& lengths) {
  const ReportInput::Run& run = block.input.runs[subject.run];
  const bool whole_suite = task == block.suite;
  std::vector<Cell> row{cell(whole_suite ? std::string("all tasks") : short_task(task)),
                        cell(series_name(subject, mode))};
  const auto& cells = whole_suite ? run.summary.by_length : run.summary.cells;
  const auto& of_cells = whole_suite ? run.differences.by_length : run.differences.cells;
  for (const std::int64_t length : lengths) {
    row.push_back(found_score(cells, of_cells, subject, mode, task, length));
  }
  const runs::Cell* overall =
      runs::find_cell(run.summary.overall, subject.model, mode, block.suite, 0);
  const auto& of_means = whole_suite ? run.differences.overall : run.differences.over_lengths;
  const runs::Cell mean = !whole_suite         ? mean_over_lengths(run.summary, subject, mode, task)
                          : overall != nullptr ? *overall
                                               : runs::Cell();
  row.push_back(marked_score(mean, of_means, subject.run));
  for (Cell& of_pairs : difference_cells(find_difference(of_means, mean))) {
    row.push_back(std::move(of_pairs));
  }
  return row;
}

void add_task_rows(const Block& block, const std::string& task,
                   const std::vector<std::int64_t>& lengths, Table& table) {
  const std::size_t first = table.rows.size();
  for (const Subject& subject : block.subjects) {
    for (const std::string& mode : block.input.runs[subject.run].summary.modes) {
      std::vector<Cell> row = row_by_length(block, subject, mode, task, lengths);
      const bool any = std::any_of(row.begin() + 2, row.end(),
                                   [](const Cell& score) { return score.planned > 0; });
      if (any) table.rows.push_back(std::move(row));
    }
  }
  if (table.rows.size() > first && first != 0) table.rules.push_back(first);
}

Table table_by_length(const Block& block, const std::vector<std::string>& tasks,
                      const std::vector<std::int64_t>& lengths) {
  Table table{"score_" + block.suite,
              suite_title(block.input, block.suite) + ": score by task and length",
              "",
              {{"task", "Task"}, {"mode", "Mode"}},
              {},
              {}};
  for (const std::int64_t length : lengths) {
    table.columns.push_back({std::to_string(length), format_length(length), 1});
  }
  table.columns.push_back({"mean", "Mean", 1});
  table.columns.push_back({"difference", "Δ to fa", 1});
  table.columns.push_back({"p", "p", 3});
  for (const std::string& task : tasks) add_task_rows(block, task, lengths, table);
  if (tasks.size() > 1) add_task_rows(block, block.suite, lengths, table);
  table.caption =
      "Mean score (0-100) of the samples of each task and length, with 95 % intervals (Wilson for "
      "0/1 scores, else bootstrap). All tasks: unweighted mean of the tasks. Mean: unweighted mean "
      "of the lengths. " +
      std::string(kDifferenceNote) + kBoldNote;
  return table;
}

// A row per category of the suite: the mean of its tasks.
void add_category_rows(const Block& block, Table& table) {
  std::vector<std::string> categories;
  for (const Subject& subject : block.subjects) {
    for (const runs::Cell& c : block.input.runs[subject.run].summary.by_category) {
      if (c.task == block.suite &&
          std::find(categories.begin(), categories.end(), c.category) == categories.end()) {
        categories.push_back(c.category);
      }
    }
  }
  for (const std::string& category : categories) {
    std::vector<Cell> row{cell(std::string("mean of category")), cell(category)};
    for (const Subject& subject : block.subjects) {
      const Summary& summary = block.input.runs[subject.run].summary;
      std::vector<runs::Cell> of_category;
      std::copy_if(summary.by_category.begin(), summary.by_category.end(),
                   std::back_inserter(of_category),
                   [&](const runs::Cell& c) { return c.category == category; });
      for (const std::string& mode : summary.modes) {
        row.push_back(found_score(of_category,
                                  block.input.runs[subject.run].differences.by_category, subject,
                                  mode, block.suite, 0));
      }
    }
    table.rows.push_back(std::move(row));
  }
}

Table table_by_mode(const Block& block, const std::vector<std::string>& tasks) {
  Table table{"score_" + block.suite,
              suite_title(block.input, block.suite) + ": score by task",
              "",
              {{"task", "Task"}, {"category", "Category"}},
              {},
              {}};
  for (const Subject& subject : block.subjects) {
    for (const std::string& mode : block.input.runs[subject.run].summary.modes) {
      const std::string name = series_name(subject, mode);
      table.columns.push_back({name, name, 1});
    }
  }
  const auto add_row = [&](const std::string& task, std::string label) {
    std::vector<Cell> row{cell(std::move(label)), {}};
    for (const Subject& subject : block.subjects) {
      const Summary& summary = block.input.runs[subject.run].summary;
      const Differences& differences = block.input.runs[subject.run].differences;
      const bool whole_suite = task == block.suite;
      const auto& cells = whole_suite ? summary.overall : summary.cells;
      for (const std::string& mode : summary.modes) {
        row.push_back(found_score(cells, whole_suite ? differences.overall : differences.cells,
                                  subject, mode, task, 0));
        const runs::Cell* found = runs::find_cell(cells, subject.model, mode, task, 0);
        if (found != nullptr) row[1] = cell(text_or_null(found->category));
      }
    }
    table.rows.push_back(std::move(row));
  };
  for (const std::string& task : tasks) add_row(task, short_task(task));
  if (tasks.size() > 1) {
    table.rules.push_back(table.rows.size());
    add_category_rows(block, table);
    add_row(block.suite, "all tasks");
  }
  table.caption =
      "Mean score (0-100) of each task's samples with 95 % intervals. All tasks: unweighted mean "
      "of the tasks, as for a category. Bold: differs from fa by more than chance (p < .05); by "
      "how "
      "much stands in the table of differences.";
  return table;
}

// Every mode against the dense one, task by task and length by length: the numbers behind the bold
// scores.
Table difference_table(const Block& block) {
  Table table{"difference_" + block.suite,
              suite_title(block.input, block.suite) + ": difference to fa by task",
              "",
              {{"task", "Task"}, {"mode", "Mode"}, {"length", "Length"}},
              {},
              {}};
  for (Column column : std::vector<Column>{{"fa", "fa", 1},
                                           {"score", "Score", 1},
                                           {"difference", "Δ to fa", 1},
                                           {"p", "p", 3},
                                           {"n", "n"}}) {
    table.columns.push_back(std::move(column));
  }
  for (const Subject& subject : block.subjects) {
    const Differences& differences = block.input.runs[subject.run].differences;
    for (const auto* list : {&differences.cells, &differences.by_category, &differences.overall}) {
      for (const Difference& d : *list) {
        if (d.model != subject.model || runs::suite_of(d.task) != block.suite) continue;
        std::string task = short_task(d.task);
        if (list != &differences.cells) task = d.category.empty() ? "all tasks" : d.category;
        std::vector<Cell> row{cell(task), cell(series_name(subject, d.mode)),
                              cell(d.length > 0 ? Value(format_length(d.length)) : Value()),
                              cell(number(d.result.mean_a, 100)),
                              cell(number(d.result.mean_b, 100))};
        for (Cell& of_pairs : difference_cells(&d)) row.push_back(std::move(of_pairs));
        row.push_back(cell(count(d.result.n)));
        table.rows.push_back(std::move(row));
      }
    }
  }
  table.caption = std::string(kDifferenceNote) + " Both scores are means over the n pairs.";
  table.folded = true;
  return table;
}

// Suite score over length, one line per mode.
std::optional<Figure> length_figure(const Block& block) {
  Chart chart;
  chart.x = {"prompt length, tokens", std::nullopt, std::nullopt, true, true};
  chart.y = {"score (0-100)"};
  for (const Subject& subject : block.subjects) {
    const Summary& summary = block.input.runs[subject.run].summary;
    for (const std::string& mode : summary.modes) {
      Series series{series_name(subject, mode), series_colour(subject, mode), {}, true};
      for (const runs::Cell& cell : summary.by_length) {
        if (cell.model != subject.model || cell.mode != mode || cell.task != block.suite ||
            !cell.score) {
          continue;
        }
        Point point{static_cast<double>(cell.length), cell.score->value * 100};
        const Cell score = score_cell(cell, subject.run);
        point.y_interval = score.interval;
        point.samples = score.samples;
        point.detail = fmt::format("{} at {}: {:.1f}, n {} of {}", series.name,
                                   format_length(cell.length), point.y, cell.scored, cell.planned);
        series.points.push_back(std::move(point));
      }
      if (!series.points.empty()) chart.series.push_back(std::move(series));
    }
  }
  if (chart.series.empty()) return std::nullopt;
  Figure figure{"length_" + block.suite,
                suite_title(block.input, block.suite) + ": score over length",
                "",
                {}};
  figure.panels.emplace_back(std::move(chart));
  figure.caption =
      "Unweighted mean of the suite's tasks at each prompt length. Bars are 95 % intervals, "
      "combined from the tasks' own.";
  return figure;
}

}  // namespace

Document scores_document(const ReportInput& input) {
  Document document{"scores", "Scores", "", {}, {}, {}};
  const std::vector<Subject> all = subjects(input);
  for (const std::string& suite : suites_of(input)) {
    const Block block{input, suite, all};
    std::vector<std::string> tasks;
    std::vector<std::int64_t> lengths;
    for (const auto& run : input.runs) {
      for (const std::string& task : tasks_of(run.summary, suite)) {
        if (std::find(tasks.begin(), tasks.end(), task) == tasks.end()) tasks.push_back(task);
      }
      for (const std::int64_t length : lengths_of(run.summary, suite)) lengths.push_back(length);
    }
    std::sort(lengths.begin(), lengths.end());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
    if (lengths.empty()) {
      document.tables.push_back(table_by_mode(block, tasks));
    } else {
      if (auto figure = length_figure(block)) document.figures.push_back(std::move(*figure));
      document.tables.push_back(table_by_length(block, tasks, lengths));
    }
    if (Table table = difference_table(block); !table.rows.empty()) {
      document.tables.push_back(std::move(table));
    }
  }
  return document;
}

}  // namespace elastic::reports
