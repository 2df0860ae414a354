// Scores by stratum: the samples of a suite that share a language, a difficulty, a length in words
// or a number of needles, over all tasks; and LongBench's length buckets task by task.

#include "reports/strata.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "base/text.h"
#include "reports/cells.h"

namespace elastic::reports {
namespace {

constexpr const char* kLengthKey = "length";

// In the order of the official tables; other values follow by number, then by name.
constexpr std::array<std::string_view, 5> kOrder{"easy", "hard", "short", "medium", "long"};

struct ByOrder {
  static std::tuple<std::size_t, double, std::string_view> rank(const std::string& value) {
    const auto at = std::find(kOrder.begin(), kOrder.end(), value);
    const std::string digits = value.substr(0, value.find_first_not_of("0123456789"));
    return {static_cast<std::size_t>(at - kOrder.begin()), parse_double(digits).value_or(1e300),
            value};
  }
  bool operator()(const std::string& a, const std::string& b) const { return rank(a) < rank(b); }
};

using Samples = std::vector<std::size_t>;
using ByValue = std::map<std::string, Samples, ByOrder>;

// One model's samples of a suite in one mode, by key and value of their strata.
std::map<std::string, ByValue> group(const ReportInput& input, const Subject& subject,
                                     const std::string& mode, const std::string& suite) {
  std::map<std::string, ByValue> groups;
  const auto& samples = input.runs[subject.run].data.samples;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const runs::SampleRecord& sample = samples[i];
    if (sample.model != subject.model || sample.mode != mode) continue;
    if (runs::suite_of(sample.task) != suite) continue;
    for (const auto& [key, value] : sample.strata) {
      if (is_stratum(key)) groups[key][value].push_back(i);
    }
  }
  return groups;
}

// A column of the tables: one subject's mode.
struct Side {
  Subject subject;
  std::string mode;
  std::map<std::string, ByValue> groups;
};

std::vector<Side> sides_of(const ReportInput& input, const std::string& suite) {
  std::vector<Side> sides;
  for (const Subject& subject : subjects(input)) {
    for (const std::string& mode : input.runs[subject.run].summary.modes) {
      Side side{subject, mode, group(input, subject, mode, suite)};
      if (!side.groups.empty()) sides.push_back(std::move(side));
    }
  }
  return sides;
}

// Keys and values that any side has, each once and in order.
std::map<std::string, ByValue> all_groups(const std::vector<Side>& sides) {
  std::map<std::string, ByValue> all;
  for (const Side& side : sides) {
    for (const auto& [key, values] : side.groups) {
      for (const auto& [value, samples] : values) all[key][value];
    }
  }
  return all;
}

// Of a suite or a task (`task`): the side's samples of one stratum.
runs::Cell stratum_cell(const ReportInput& input, const Side& side, const std::string& task,
                        const std::string& key, const std::string& value) {
  const runs::RunData& run = input.runs[side.subject.run].data;
  Samples samples;
  if (const auto of_key = side.groups.find(key); of_key != side.groups.end()) {
    if (const auto found = of_key->second.find(value); found != of_key->second.end()) {
      std::copy_if(found->second.begin(), found->second.end(), std::back_inserter(samples),
                   [&](std::size_t i) {
                     return run.samples[i].task == task || runs::suite_of(task) == task;
                   });
    }
  }
  runs::Cell cell = runs::cell_of_samples(run, std::move(samples));
  cell.task = task;
  return cell;
}

Cell shown_score(const runs::Cell& cell, const Side& side, const std::string& key,
                 const std::string& value) {
  Cell out = score_cell(cell, side.subject.run);
  if (out.samples) out.samples->stratum = stratum_name(key, value);
  return out;
}

// The tidy row of one number.
void add_to_sheet(const runs::Cell& cell, const ReportInput& input, const Side& side,
                  const std::string& key, const std::string& value, Sheet& sheet) {
  if (cell.planned == 0) return;
  const std::optional<runs::Interval> interval =
      cell.score ? percent(cell.score->interval) : std::nullopt;
  const auto end = [&](double runs::Interval::*field) {
    return interval ? number((*interval).*field) : Value();
  };
  std::vector<Value> row{side.subject.model,
                         side.mode,
                         cell.task,
                         key,
                         value,
                         cell.score ? number(cell.score->value, 100) : Value(),
                         end(&runs::Interval::low),
                         end(&runs::Interval::high),
                         count(cell.scored),
                         count(cell.planned)};
  if (input.runs.size() > 1) row.insert(row.begin(), Value(input.runs[side.subject.run].name));
  sheet.rows.push_back(std::move(row));
}

Table strata_table(const ReportInput& input, const std::string& suite,
                   const std::vector<Side>& sides, Sheet& sheet) {
  Table table{"strata_" + suite,
              suite_title(input, suite) + ": score by stratum",
              "",
              {{"stratum", "Stratum"}, {"value", "Value"}},
              {},
              {}};
  for (const Side& side : sides) {
    const std::string name = series_name(side.subject, side.mode);
    table.columns.push_back({name, name, 1});
  }
  for (const auto& [key, values] : all_groups(sides)) {
    if (!table.rows.empty()) table.rules.push_back(table.rows.size());
    for (const auto& [value, unused] : values) {
      std::vector<Cell> row{cell(key == kLengthKey ? "length, words" : replace_all(key, "_", " ")),
                            cell(value)};
      for (const Side& side : sides) {
        const runs::Cell found = stratum_cell(input, side, suite, key, value);
        add_to_sheet(found, input, side, key, value, sheet);
        row.push_back(shown_score(found, side, key, value));
      }
      table.rows.push_back(std::move(row));
    }
  }
  table.caption =
      "Mean score (0-100) over the samples of the stratum, of all tasks and lengths together, each "
      "sample counting once, with 95 % intervals. The suite's own score is a mean of tasks and "
      "weighs samples otherwise.";
  return table;
}

// LongBench-E's own table: each set in its length buckets.
std::optional<Table> bucket_table(const ReportInput& input, const std::string& suite,
                                  const std::vector<Side>& sides, Sheet& sheet) {
  const std::map<std::string, ByValue> all = all_groups(sides);
  const auto buckets = all.find(kLengthKey);
  std::vector<std::string> tasks;
  for (const auto& run : input.runs) {
    for (const std::string& task : run.summary.tasks) {
      const bool known = std::find(tasks.begin(), tasks.end(), task) != tasks.end();
      if (runs::suite_of(task) == suite && task != suite && !known) tasks.push_back(task);
    }
  }
  if (buckets == all.end() || tasks.empty()) return std::nullopt;
  Table table{"buckets_" + suite,
              suite_title(input, suite) + ": score by task and length in words",
              "",
              {{"task", "Task"}, {"mode", "Mode"}},
              {},
              {}};
  for (const auto& [bucket, unused] : buckets->second) table.columns.push_back({bucket, "", 1});
  for (const std::string& task : tasks) {
    const std::size_t first = table.rows.size();
    for (const Side& side : sides) {
      std::vector<Cell> row{cell(short_task(task)), cell(series_name(side.subject, side.mode))};
      bool any = false;
      for (const auto& [bucket, unused] : buckets->second) {
        const runs::Cell found = stratum_cell(input, side, task, kLengthKey, bucket);
        add_to_sheet(found, input, side, kLengthKey, bucket, sheet);
        row.push_back(shown_score(found, side, kLengthKey, bucket));
        any = any || found.planned > 0;
      }
      if (any) table.rows.push_back(std::move(row));
    }
    if (first != 0 && table.rows.size() > first) table.rules.push_back(first);
  }
  table.caption =
      "Mean score (0-100) of each task's samples by the length field of their source, in words "
      "(characters of Chinese), as LongBench-E reports it: under 4000, under 8000, the rest.";
  table.folded = true;
  return table;
}

Sheet empty_sheet(const ReportInput& input) {
  Sheet sheet{"strata",
              {{"model"},
               {"mode"},
               {"task"},
               {"stratum"},
               {"stratum_value"},
               {"value"},
               {"ci_low"},
               {"ci_high"},
               {"n"},
               {"planned"}},
              {},
              {}};
  if (input.runs.size() > 1) sheet.columns.insert(sheet.columns.begin(), Column{"run"});
  return sheet;
}

}  // namespace

bool is_stratum(std::string_view key) {
  return key != "document" && key != "needle_depth" && key != "bos" && key != "sub_domain";
}

std::string stratum_name(std::string_view key, std::string_view value) {
  return std::string(key).append("=").append(value);
}

Document strata_document(const ReportInput& input) {
  Document document{"strata", "Strata", "", {}, {}, {}};
  Sheet sheet = empty_sheet(input);
  for (const std::string& suite : suites_of(input)) {
    const std::vector<Side> sides = sides_of(input, suite);
    if (sides.empty()) continue;
    document.tables.push_back(strata_table(input, suite, sides, sheet));
    if (auto buckets = bucket_table(input, suite, sides, sheet)) {
      document.tables.push_back(std::move(*buckets));
    }
  }
  if (!sheet.rows.empty()) document.sheets.push_back(std::move(sheet));
  return document;
}

}  // namespace elastic::reports
