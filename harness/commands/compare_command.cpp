// `compare`: two runs, sample by sample.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "base/unicode.h"
#include "harness/commands/command.h"
#include "harness/commands/flag_values.h"
#include "runs/comparison.h"
#include "runs/run_store.h"

namespace elastic::harness {
namespace {

constexpr double kPercent = 100;

struct CommandOptions {
  std::string a, b;
  runs::CompareOptions compare;
  std::string output = ".";
  std::optional<double> max_loss;  // points of 100
};

// {mean of a, mean of b}, or null where no pair has the number on both sides.
Json to_json(const runs::PairedMean& mean) {
  if (mean.n == 0) return nullptr;
  return {mean.a / static_cast<double>(mean.n), mean.b / static_cast<double>(mean.n)};
}

Json to_json(const runs::ComparedRow& row) {
  const runs::PairedResult& r = row.result;
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
          {"ci_low", kPercent * r.interval.low},
          {"ci_high", kPercent * r.interval.high},
          {"interval", r.interval_rule},
          {"test", r.test},
          {"p_value", r.p_value},
          {"adjusted_p", r.adjusted_p},
          {"smallest_visible", kPercent * r.smallest_visible},
          {"token_density", to_json(row.work.token_density)},
          {"read_share", to_json(row.work.read_share)},
          {"prefill_ms", to_json(row.work.prefill_ms)}};
}

Json to_json(const CommandOptions& options, const runs::ComparedRuns& compared) {
  Json out = {{"schema_version", runs::kSchemaVersion},
              {"run_a", options.a},
              {"run_b", options.b},
              {"adjustment",
               fmt::format("Benjamini-Hochberg over {} rows; suites apart", compared.rows.size())},
              {"differences_allowed", compared.unlike},
              {"notes", compared.notes},
              {"max_loss", options.max_loss ? Json(*options.max_loss) : Json(nullptr)},
              {"rows", Json::array()},
              {"suites", Json::array()}};
  for (const runs::ComparedRow& row : compared.rows) out["rows"].push_back(to_json(row));
  for (const runs::ComparedRow& row : compared.suites) out["suites"].push_back(to_json(row));
  return out;
}

// One row of the table; `suite` rows stand below the others.
void print_row(const runs::ComparedRow& row, bool suite) {
  const runs::PairedResult& r = row.result;
  const std::string modes =
      row.mode_a == row.mode_b ? row.mode_a : row.mode_a + " -> " + row.mode_b;
  const std::string interval =
      fmt::format("[{:+.2f}, {:+.2f}]", kPercent * r.interval.low, kPercent * r.interval.high);
  const std::string length = suite ? "all" : (row.length == 0 ? "-" : format_length(row.length));
  fmt::print(
      "{:<30} {:>7} {:<16} {:>5} {:>7.2f} {:>7.2f} {:>+8.2f} {:>18} {:>7.4f} {:>7.4f} {:>8.2f}\n",
      visible(row.task), length, visible(modes), r.n, kPercent * r.mean_a, kPercent * r.mean_b,
      kPercent * r.difference, interval, r.p_value, r.adjusted_p, kPercent * r.smallest_visible);
}

// What the scores of a pair of modes cost, over all rows: scores are compared at their work.
void print_work(const runs::ComparedRuns& compared) {
  std::map<std::string, runs::Work> by_modes;
  for (const runs::ComparedRow& row : compared.rows) {
    by_modes[row.mode_a + " -> " + row.mode_b].add(row.work);
  }
  const auto shown = [](const char* name, const runs::PairedMean& mean, int digits) {
    const auto n = static_cast<double>(mean.n);
    return mean.n == 0 ? std::string()
                       : fmt::format("; {} {:.{}f} -> {:.{}f}", name, mean.a / n, digits,
                                     mean.b / n, digits);
  };
  for (const auto& [modes, work] : by_modes) {
    const std::string text = shown("token density", work.token_density, 3) +
                             shown("read share", work.read_share, 3) +
                             shown("prefill ms", work.prefill_ms, 1);
    if (!text.empty()) fmt::print("work of {}{}\n", visible(modes), text);
  }
}

void print_table(const runs::ComparedRuns& compared) {
  fmt::print("{:<30} {:>7} {:<16} {:>5} {:>7} {:>7} {:>8} {:>18} {:>7} {:>7} {:>8}\n", "task",
             "length", "mode", "n", "a", "b", "b - a", "95 % interval", "p", "p (BH)", "visible");
  for (const runs::ComparedRow& row : compared.rows) print_row(row, false);
  for (const runs::ComparedRow& row : compared.suites) print_row(row, true);
  print_work(compared);
  for (const std::string& note : compared.notes) fmt::print("shared: {}\n", visible(note));
  for (const std::string& note : compared.unlike) fmt::print("unlike: {}\n", visible(note));
  fmt::print("visible: smallest difference that this many samples show with a power of 80 %\n");
}

// Rows whose interval does not exclude the loss, each with what it would take.
std::vector<std::string> not_excluded(const runs::ComparedRuns& compared, double max_loss) {
  std::vector<std::string> rows;
  for (const auto* part : {&compared.rows, &compared.suites}) {
    for (const runs::ComparedRow& row : *part) {
      if (runs::excludes_loss(row.result, max_loss)) continue;
      rows.push_back(fmt::format("{}{} {} (down to {:+.2f} from {} samples)", row.task,
                                 row.length == 0 ? "" : " at " + format_length(row.length),
                                 row.mode_b, kPercent * row.result.interval.low, row.result.n));
    }
  }
  return rows;
}

// A folder for compare.json, or the file itself.
std::filesystem::path output_file(const std::string& output) {
  const std::filesystem::path path = output;
  if (path.extension() == ".json" && !std::filesystem::is_directory(path)) return path;
  return path / "compare.json";
}

void check_limit(const CommandOptions& options) {
  if (!options.max_loss || (std::isfinite(*options.max_loss) && *options.max_loss >= 0)) return;
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("--max-loss {} is no limit; give points of 100, 0 or more", *options.max_loss));
}

int compare(const CommandOptions& options) {
  check_limit(options);
  const runs::RunData a = runs::read_run(options.a), b = runs::read_run(options.b);
  for (const runs::RunData* run : {&a, &b}) {
    for (const std::string& note : run->notes) log_warning(note);
  }
  const runs::ComparedRuns compared = runs::compare_runs(a, b, options.compare);
  print_table(compared);
  const std::filesystem::path file = output_file(options.output);
  create_folders(file.parent_path());
  write_file_atomic(file, dump_pretty(to_json(options, compared)));
  log_info(fmt::format("written to {}", file.string()));
  if (!options.max_loss) return kExitComplete;
  const std::vector<std::string> rows = not_excluded(compared, *options.max_loss);
  if (rows.empty()) return kExitComplete;
  log_warning(fmt::format("a loss of {} points or more is not excluded: {}", *options.max_loss,
                          join(rows, "; ")));
  return kExitRegression;
}

}  // namespace

void add_compare(CLI::App& sub, int& exit_code) {
  const auto options = std::make_shared<CommandOptions>();
  sub.add_option("run_a", options->a, "Run folder")->check(input_folder())->required();
  sub.add_option("run_b", options->b, "Run folder set against it")
      ->check(input_folder())
      ->required();
  sub.add_option("--mode-a", options->compare.mode_a,
                 "Mode of run_a (default: the modes both have)");
  sub.add_option("--mode-b", options->compare.mode_b, "Mode of run_b");
  sub.add_option("--max-loss", options->max_loss,
                 "Exit 5 unless the interval of every row excludes a loss of so many points");
  sub.add_option(kOutputFlag, options->output,
                 "Folder for compare.json, or a file that ends in .json (default: here)");
  sub.add_flag("--allow-different", options->compare.allow_different,
               "Compare although samples, prompts, data or profiles differ, and say so");
  sub.callback([options, &exit_code] { exit_code = compare(*options); });
}

}  // namespace elastic::harness
