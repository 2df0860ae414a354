#include "reports/leaderboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>

#include "base/registry.h"
#include "engine/api/mode_list.h"
#include "reports/cells.h"
#include "reports/pairs.h"
#include "reports/speedup.h"

namespace elastic::reports {
namespace {

struct Entry {
  std::size_t run = 0;
  std::string model, mode;
  const runs::Cell* cell = nullptr;  // of the suite that ranks; null where there is none
  std::int64_t rank = 0;             // 0: no score

  std::optional<double> score() const {
    return cell != nullptr && cell->score ? std::optional(cell->score->value) : std::nullopt;
  }
};

const runs::Cell* suite_cell(const ReportInput& input, const Entry& entry,
                             const std::string& suite) {
  return runs::find_cell(input.runs[entry.run].summary.overall, entry.model, entry.mode, suite, 0);
}

// Whose routers decided: "name (first digits of their hash)".
std::string router_of(const runs::RunSpec& spec, std::string_view mode) {
  if (!engine::router_decides(mode) && engine::mode_name(mode) != "routed") return "";
  const auto hash = spec.settings.find("router_sha256");
  if (hash == spec.settings.end()) return "the model's own";
  const auto folder = spec.environment.find("router");
  std::filesystem::path path = folder == spec.environment.end() ? "router" : folder->second;
  if (!path.has_filename()) path = path.parent_path();  // trained/half/
  return fmt::format("{} ({})", path.filename().string(), hash->second.substr(0, 8));
}

// Whether both runs had the same data in every cell of the suite, so that samples pair.
bool same_data(const ReportInput& input, const Entry& a, const Entry& b, const std::string& suite) {
  if (a.run == b.run) return true;
  const auto of_suite = [&](const Entry& entry) {
    std::map<runs::DataKey, std::string> ids = input.runs[entry.run].data.spec.data_ids;
    std::erase_if(ids, [&](const auto& id) { return runs::suite_of(id.first.task) != suite; });
    return ids;
  };
  const auto ids = of_suite(a);
  return !ids.empty() && ids == of_suite(b);
}

// 95 % interval of better - worse for independent means (MOVER, Zou and Donner 2008).
std::optional<runs::Interval> unpaired(const runs::Estimate& better, const runs::Estimate& worse) {
  if (!better.interval || !worse.interval) return std::nullopt;
  const double difference = better.value - worse.value;
  return runs::Interval{difference - std::hypot(better.value - better.interval->low,
                                                worse.interval->high - worse.value),
                        difference + std::hypot(better.interval->high - better.value,
                                                worse.value - worse.interval->low)};
}

// Whether `better`, of the higher score, is so by more than chance.
bool leads(const ReportInput& input, const Entry& better, const Entry& worse,
           const std::string& suite) {
  std::optional<runs::Interval> interval;
  if (same_data(input, better, worse, suite)) {
    const Side a{&input.runs[worse.run].data, worse.model, worse.mode};
    const Side b{&input.runs[better.run].data, better.model, better.mode};
    const std::vector<runs::PairedCell> cells = of_suite(paired_cells(a, b), suite);
    if (!cells.empty()) interval = compare_cells(cells).interval;
  } else {
    interval = unpaired(*better.cell->score, *worse.cell->score);
  }
  return interval && interval->low > 0;
}

std::vector<Entry> ranked(const ReportInput& input, const std::string& suite) {
  std::vector<Entry> entries;
  for (const Subject& subject : subjects(input)) {
    for (const std::string& mode : input.runs[subject.run].summary.modes) {
      Entry entry{subject.run, subject.model, mode};
      entry.cell = suite_cell(input, entry, suite);
      entries.push_back(std::move(entry));
    }
  }
  std::ranges::stable_sort(entries, std::greater(),
                           [](const Entry& entry) { return entry.score().value_or(-1); });
  for (std::size_t i = 0; i < entries.size() && entries[i].score(); ++i) {
    entries[i].rank = 1 + std::count_if(entries.begin(), entries.begin() + static_cast<long>(i),
                                        [&](const Entry& better) {
                                          return leads(input, better, entries[i], suite);
                                        });
  }
  // An entry stands beside those it is tied with.
  std::ranges::stable_sort(
      entries, {}, [](const Entry& entry) { return entry.rank == 0 ? INT64_MAX : entry.rank; });
  return entries;
}

std::vector<Column> label_columns() {
  return {
      {"rank", "Rank"}, {"run", "Run"}, {"model", "Model"}, {"router", "Router"}, {"mode", "Mode"}};
}

std::vector<Column> work_columns() {
  return {{"n", "n"},
          {"msr", "MSR", 3},
          {"token_density", "Density", 3},
          {"read_share", "Reads", 3},
          {"prefill_speedup_vs_fa", "Prefill speed-up", 2}};
}

std::vector<Cell> labels_of(const ReportInput& input, const Entry& entry) {
  const ReportInput::Run& run = input.runs[entry.run];
  return {cell(entry.rank > 0 ? count(entry.rank) : Value()), cell(run.name), cell(entry.model),
          cell(text_or_null(router_of(run.data.spec, entry.mode))), cell(entry.mode)};
}

std::vector<Cell> work_of(const ReportInput& input, const Entry& entry) {
  if (entry.cell == nullptr) return std::vector<Cell>(work_columns().size());
  const runs::Sparsity& sparsity = entry.cell->sparsity;
  return {cell(count(entry.cell->scored)), cell(number(sparsity.msr)),
          cell(number(sparsity.token_density())), cell(number(sparsity.read_share)),
          estimate_cell(prefill_speedup(input.runs[entry.run], entry.cell->samples))};
}

Table table_of(const ReportInput& input, const std::vector<Entry>& entries,
               const std::string& suite) {
  Table table{"leaderboard", "Ranked by " + suite_title(input, suite), "", label_columns(), {}, {}};
  const std::vector<std::string> suites = suites_of(input);
  for (const std::string& other : suites) {
    table.columns.push_back({other, suite_title(input, other), 1});
  }
  for (Column& column : work_columns()) table.columns.push_back(std::move(column));
  for (const Entry& entry : entries) {
    if (!table.rows.empty() && table.rows.back()[0].value != Value(count(entry.rank))) {
      table.rules.push_back(table.rows.size());
    }
    std::vector<Cell> row = labels_of(input, entry);
    for (const std::string& other : suites) {
      const runs::Cell* found = suite_cell(input, entry, other);
      row.push_back(found == nullptr ? Cell() : score_cell(*found, entry.run));
    }
    for (Cell& work : work_of(input, entry)) row.push_back(std::move(work));
    table.rows.push_back(std::move(row));
  }
  table.caption =
      "Rank: 1 + the number of rows whose score is higher by more than chance: the 95 % interval "
      "of "
      "the difference, paired over the samples that both answered where their data are the same, "
      "lies above 0. Rows of one rank are tied. Scores are suite means (0-100) with 95 % "
      "intervals. "
      "n (samples with a score), MSR, density, reads and speed-up are those of the suite that "
      "ranks; the speed-up is over fa "
      "of the same run.";
  return table;
}

// The table with its intervals and counts in columns of their own.
Sheet sheet_of(const ReportInput& input, const std::vector<Entry>& entries) {
  Sheet sheet{"leaderboard", label_columns(), {}, {}};
  const std::vector<std::string> suites = suites_of(input);
  for (const std::string& suite : suites) {
    for (const char* part : {"", "_ci_low", "_ci_high", "_scored", "_planned"}) {
      sheet.columns.push_back({suite + part, ""});
    }
  }
  for (Column& column : work_columns()) sheet.columns.push_back(std::move(column));
  for (const Entry& entry : entries) {
    std::vector<Value> row;
    for (const Cell& label : labels_of(input, entry)) row.push_back(label.value);
    for (const std::string& suite : suites) {
      const runs::Cell* found = suite_cell(input, entry, suite);
      const Cell score = found == nullptr ? Cell() : score_cell(*found, entry.run);
      row.push_back(score.value);
      row.push_back(score.interval ? number(score.interval->low) : Value());
      row.push_back(score.interval ? number(score.interval->high) : Value());
      row.push_back(count(score.n));
      row.push_back(count(score.planned));
    }
    for (const Cell& work : work_of(input, entry)) row.push_back(work.value);
    sheet.rows.push_back(std::move(row));
  }
  return sheet;
}

}  // namespace

Document leaderboard_document(const ReportInput& input, std::string suite) {
  const std::vector<std::string> suites = suites_of(input);
  if (suite.empty() && !suites.empty()) suite = suites.front();
  if (std::ranges::find(suites, suite) == suites.end()) throw_unknown_name("suite", suite, suites);
  const std::vector<Entry> entries = ranked(input, suite);
  return {"leaderboard",
          "Leaderboard",
          "",
          {sheet_of(input, entries)},
          {table_of(input, entries, suite)},
          {}};
}

}  // namespace elastic::reports
