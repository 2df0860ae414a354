// `compare`: two runs, sample by sample.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "harness/commands/command.h"
#include "harness/store/paired.h"
#include "harness/store/run_store.h"
#include "harness/store/summary.h"

namespace elastic::harness {
namespace {

constexpr double kPercent = 100;
constexpr double kSignificant = 0.05;

struct CompareOptions {
  std::string a, b, mode_a, mode_b;
  std::string output = ".";
  std::optional<double> max_loss;  // points of 100
  bool allow_different = false;
};

struct Row {
  std::string mode_a, mode_b, task;
  std::int64_t length = 0;
  std::int64_t left_out = 0;  // samples that only one run has, or that failed
  PairedResult result;
};

// Samples of one mode by task, length and index.
using Index = std::map<std::tuple<std::string, std::int64_t, std::int64_t>, const SampleRecord*>;

class Comparison {
 public:
  explicit Comparison(const CompareOptions& options)
      : options_(options), a_(read_run(options.a)), b_(read_run(options.b)) {
    check_profiles();
  }

  std::vector<Row> rows() {
    std::vector<Row> rows;
    for (const auto& [mode_a, mode_b] : mode_pairs()) add_rows(mode_a, mode_b, rows);
    if (rows.empty()) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{} and {} have no scored sample in common", options_.a, options_.b));
    }
    std::vector<PairedResult> results;
    for (const Row& row : rows) results.push_back(row.result);
    adjust_p_values(results);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].result = results[i];
    return rows;
  }

  const std::vector<std::string>& notes() const { return notes_; }

 private:
  // A difference that makes the samples unlike: refused, or with --allow-different noted.
  void differ(const std::string& what) {
    if (!options_.allow_different) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{} and {}: {}; such runs are not compared (--allow-different does "
                              "it and says so in the result)",
                              options_.a, options_.b, what));
    }
    notes_.push_back(what);
  }

  void check_profiles() {
    for (const auto& [key, value] : a_.spec.settings) {
      const auto other = b_.spec.settings.find(key);
      if (key.starts_with(kProfileSetting) && other != b_.spec.settings.end() &&
          other->second != value) {
        differ(fmt::format("profiles differ: {} and {}", value, other->second));
      }
    }
    for (const auto& [cell, id] : a_.spec.data_ids) {
      const auto other = b_.spec.data_ids.find(cell);
      if (other != b_.spec.data_ids.end() && other->second != id) {
        differ(fmt::format("the data of {} differ ({} and {})", cell, id.substr(0, 12),
                           other->second.substr(0, 12)));
      }
    }
  }

  // Modes to set against each other: as asked, else equal ones, else the only one of each.
  std::vector<std::pair<std::string, std::string>> mode_pairs() const {
    const auto has = [](const RunData& run, const std::string& mode) {
      return std::find(run.spec.modes.begin(), run.spec.modes.end(), mode) != run.spec.modes.end();
    };
    if (!options_.mode_a.empty() || !options_.mode_b.empty()) {
      const std::string a = options_.mode_a.empty() ? options_.mode_b : options_.mode_a;
      const std::string b = options_.mode_b.empty() ? options_.mode_a : options_.mode_b;
      if (!has(a_, a) || !has(b_, b)) {
        throw Error(
            ErrorKind::kInvalidArgument,
            fmt::format("mode {} or {} is in neither run; {} has {}, {} has {}", a, b, options_.a,
                        join(a_.spec.modes, ", "), options_.b, join(b_.spec.modes, ", ")));
      }
      return {{a, b}};
    }
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const std::string& mode : a_.spec.modes) {
      if (has(b_, mode)) pairs.emplace_back(mode, mode);
    }
    if (pairs.empty() && a_.spec.modes.size() == 1 && b_.spec.modes.size() == 1) {
      pairs.emplace_back(a_.spec.modes.front(), b_.spec.modes.front());
    }
    return pairs;
  }

  static Index index(const RunData& run, const std::string& mode) {
    Index index;
    for (const SampleRecord& r : run.samples) {
      if (r.mode == mode) index[{r.task, r.length, r.index}] = &r;
    }
    return index;
  }

  void add_rows(const std::string& mode_a, const std::string& mode_b, std::vector<Row>& rows) {
    const Index a = index(a_, mode_a), b = index(b_, mode_b);
    std::map<std::pair<std::string, std::int64_t>, std::vector<Pair>> cells;
    std::map<std::pair<std::string, std::int64_t>, std::int64_t> alone, failed;
    std::set<std::pair<std::string, std::int64_t>> in_b;
    for (const auto& [key, ignored] : b) in_b.emplace(std::get<0>(key), std::get<1>(key));
    for (const auto& [key, record] : a) {
      const std::pair cell(std::get<0>(key), std::get<1>(key));
      if (!in_b.contains(cell)) continue;
      const auto other = b.find(key);
      if (other == b.end() || other->second->references != record->references) {
        ++alone[cell];
      } else if (!record->score || !other->second->score) {
        ++failed[cell];
      } else {
        const auto document = record->strata.find("document");
        cells[cell].push_back({*record->score, *other->second->score,
                               document == record->strata.end()
                                   ? std::string_view()
                                   : std::string_view(document->second)});
      }
    }
    for (const auto& [key, record] : b) {
      const std::pair cell(std::get<0>(key), std::get<1>(key));
      if (cells.contains(cell) && !a.contains(key)) ++alone[cell];
    }
    for (const auto& [cell, count] : alone) {
      differ(fmt::format("{} of {}: {} samples have no counterpart", cell.first,
                         format_length(cell.second), count));
    }
    for (const auto& [cell, pairs] : cells) {
      rows.push_back({mode_a, mode_b, cell.first, cell.second, alone[cell] + failed[cell],
                      compare_pairs(pairs)});
    }
  }

  const CompareOptions& options_;
  RunData a_, b_;
  std::vector<std::string> notes_;
};

Json optional_percent(const std::optional<double>& value) {
  return value ? Json(kPercent * *value) : Json(nullptr);
}

Json to_json(const Row& row) {
  const PairedResult& r = row.result;
  std::optional<double> low, high;
  if (r.interval) {
    low = r.interval->low;
    high = r.interval->high;
  }
  return {{"task", row.task},
          {"length", row.length},
          {"mode_a", row.mode_a},
          {"mode_b", row.mode_b},
          {"n", r.n},
          {"clusters", r.clusters},
          {"left_out", row.left_out},
          {"score_a", kPercent * r.mean_a},
          {"score_b", kPercent * r.mean_b},
          {"difference", kPercent * r.difference},
          {"ci_low", optional_percent(low)},
          {"ci_high", optional_percent(high)},
          {"test", r.test},
          {"p_value", r.p_value},
          {"adjusted_p", r.adjusted_p},
          {"smallest_visible", optional_percent(r.smallest_visible)}};
}

void print_row(const Row& row) {
  const PairedResult& r = row.result;
  const std::string modes =
      row.mode_a == row.mode_b ? row.mode_a : row.mode_a + " -> " + row.mode_b;
  const std::string interval = r.interval
                                   ? fmt::format("[{:+.2f}, {:+.2f}]", kPercent * r.interval->low,
                                                 kPercent * r.interval->high)
                                   : "-";
  const std::string visible =
      r.smallest_visible ? fmt::format("{:.2f}", kPercent * *r.smallest_visible) : "-";
  fmt::print(
      "{:<30} {:>7} {:<16} {:>5} {:>7.2f} {:>7.2f} {:>+8.2f} {:>18} {:>7.4f} {:>7.4f} {:>8}\n",
      row.task, row.length == 0 ? "-" : format_length(row.length), modes, r.n, kPercent * r.mean_a,
      kPercent * r.mean_b, kPercent * r.difference, interval, r.p_value, r.adjusted_p, visible);
}

// A loss beyond the limit that chance does not explain.
bool is_regression(const Row& row, double max_loss) {
  return kPercent * row.result.difference < -max_loss && row.result.adjusted_p < kSignificant;
}

int compare(const CompareOptions& options) {
  Comparison comparison(options);
  const std::vector<Row> rows = comparison.rows();
  fmt::print("{:<30} {:>7} {:<16} {:>5} {:>7} {:>7} {:>8} {:>18} {:>7} {:>7} {:>8}\n", "task",
             "length", "mode", "n", "a", "b", "b - a", "95 % interval", "p", "p (BH)", "visible");
  Json out = {{"schema_version", kSchemaVersion},
              {"run_a", options.a},
              {"run_b", options.b},
              {"adjustment", fmt::format("Benjamini-Hochberg over {} rows", rows.size())},
              {"differences_allowed", comparison.notes()},
              {"rows", Json::array()}};
  bool regression = false;
  for (const Row& row : rows) {
    print_row(row);
    out["rows"].push_back(to_json(row));
    regression = regression || (options.max_loss && is_regression(row, *options.max_loss));
  }
  for (const std::string& note : comparison.notes()) fmt::print("unlike: {}\n", note);
  fmt::print("visible: smallest difference that this many samples show with a power of 80 %\n");
  create_folders(options.output);
  write_file_atomic(std::filesystem::path(options.output) / "compare.json", dump_pretty(out));
  if (!regression) return kExitComplete;
  log_warning(fmt::format("a loss beyond {} points", *options.max_loss));
  return kExitRegression;
}

}  // namespace

void add_compare(CLI::App& sub, int& exit_code) {
  const auto options = std::make_shared<CompareOptions>();
  sub.add_option("run_a", options->a, "Run folder")->required();
  sub.add_option("run_b", options->b, "Run folder set against it")->required();
  sub.add_option("--mode-a", options->mode_a, "Mode of run_a (default: the modes both have)");
  sub.add_option("--mode-b", options->mode_b, "Mode of run_b");
  sub.add_option("--max-loss", options->max_loss,
                 "Exit 5 where a task loses more points than this beyond chance");
  sub.add_option("--output", options->output, "Folder for compare.json (default: here)");
  sub.add_flag("--allow-different", options->allow_different,
               "Compare although samples, data or profiles differ, and say so");
  sub.callback([options, &exit_code] { exit_code = compare(*options); });
}

}  // namespace elastic::harness
