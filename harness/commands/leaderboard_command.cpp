// `leaderboard`: the modes of several runs in one table, ranked by a suite's score.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "base/unicode.h"
#include "datasets/folders.h"
#include "harness/commands/command.h"
#include "harness/commands/flag_values.h"
#include "reports/leaderboard.h"
#include "reports/questions.h"
#include "reports/render/render.h"
#include "reports/render/write.h"
#include "runs/run_store.h"
#include "tasks/registry.h"

namespace elastic::harness {
namespace {

struct LeaderboardOptions {
  std::vector<std::string> runs;
  std::string by;
  bool allow_different = false;
  std::string output;
  std::string formats = "md,csv,json,html";
  std::string data_dir;
};

// Refuses runs that asked other questions; where that is allowed, ranks what they share.
void make_alike(std::vector<runs::RunData>& runs, bool allow_different) {
  const std::vector<std::string> unlike = reports::unlike_questions(runs);
  if (unlike.empty()) return;
  if (!allow_different) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("these runs asked other questions and are not ranked together: {}. "
                            "--allow-different ranks the tasks and lengths that all have, and says "
                            "so; `report` shows runs side by side without ranking them",
                            join(unlike, "; ")));
  }
  reports::keep_shared_cells(runs);
  for (const std::string& what : unlike) log_warning("ranked all the same: " + what);
}

void write_files(const reports::ReportInput& input, const reports::Document& board,
                 const LeaderboardOptions& options) {
  reports::WriteOptions write{.output = options.output, .formats = split_list(options.formats)};
  const bool page = std::ranges::find(write.formats, "html") != write.formats.end();
  if (page) write.plotly_js = datasets::plotly_script(options.data_dir);
  const auto files = reports::write_documents(input, write, {board});
  log_info(fmt::format("{} files written to {}", files.size(), options.output));
  if (page) log_page(std::filesystem::path(options.output) / "report.html");
}

int leaderboard(const LeaderboardOptions& options) {
  std::vector<runs::RunData> runs;
  for (const std::string& folder : options.runs) runs.push_back(runs::read_run(folder));
  make_alike(runs, options.allow_different);
  const reports::ReportInput input = reports::make_input(std::move(runs), tasks::suite_titles());
  for (const std::string& warning : input.warnings) log_warning(warning);
  const reports::Document board = reports::leaderboard_document(input, options.by);
  const reports::Table& table = board.tables.front();
  fmt::print("{}\n\n{}\n{}\n", visible(table.title), reports::markdown_table(table), table.caption);
  if (!options.output.empty()) write_files(input, board, options);
  return kExitComplete;
}

}  // namespace

void add_leaderboard(CLI::App& sub, int& exit_code) {
  const auto options = std::make_shared<LeaderboardOptions>();
  sub.add_option("runs", options->runs, "Run folders, each with the modes it holds")
      ->check(input_folder())
      ->required();
  sub.add_option("--by", options->by,
                 "Suite that ranks, as in ruler or longbench (default: the first of the runs)");
  sub.add_flag("--allow-different", options->allow_different,
               "Rank runs of other tasks, lengths, seeds, profiles or data over what they share, "
               "and say so");
  sub.add_option(kOutputFlag, options->output,
                 "Folder for the same as files (default: printed only)");
  sub.add_option("--format,--formats", options->formats,
                 "Comma-separated: " + join(reports::format_names(), ", "))
      ->capture_default_str();
  sub.add_option("--data-dir", options->data_dir, "Where plotly.js lies (plotly/plotly.min.js)");
  sub.footer(
      "A row is a model, its router and a mode. Rows share a rank where the interval of their\n"
      "difference contains 0: paired sample by sample where both answered the same data.\n\n"
      "  elastic-bench leaderboard runs/* --by ruler\n"
      "  elastic-bench leaderboard runs/a runs/b --by longbench --output board --format csv,html");
  sub.callback([options, &exit_code] { exit_code = leaderboard(*options); });
}

}  // namespace elastic::harness
