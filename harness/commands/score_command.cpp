// `score`: predictions that exist already, scored again. Needs no model and no GPU.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/registry.h"
#include "base/text.h"
#include "base/unicode.h"
#include "datasets/folders.h"
#include "harness/commands/command.h"
#include "harness/commands/flag_values.h"
#include "harness/run/build_info.h"
#include "reports/input.h"
#include "reports/registry.h"
#include "reports/render/render.h"
#include "reports/render/write.h"
#include "tasks/registry.h"
#include "tasks/scoring/score.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

struct ScoreOptions {
  std::vector<std::string> paths;
  std::string format;
  std::string tasks;
  std::string output;
  std::string data_dir;
  std::string code_similarity = "difflib";
};

constexpr tasks::CodeSimilarity kCodeSimilarities[] = {tasks::CodeSimilarity::kDifflib,
                                                       tasks::CodeSimilarity::kIndel};

tasks::CodeSimilarity code_similarity(const std::string& name) {
  for (const tasks::CodeSimilarity mode : kCodeSimilarities) {
    if (to_string(mode) == name) return mode;
  }
  throw_unknown_name("code similarity", name, {"difflib", "indel"});
}

void check_output(const ScoreOptions& options) {
  for (const std::string& path : options.paths) {
    std::error_code ignored;
    if (fs::equivalent(path, options.output, ignored)) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("--output {} is an input; results go to a folder of their own",
                              options.output));
    }
  }
}

// results.csv and results.json, as `report` writes them.
void write_results(const reports::ReportInput& input, const fs::path& output) {
  const std::vector<reports::Document> results{reports::results_document(input)};
  for (const auto& files : {reports::render_csv(results), reports::render_json(results)}) {
    for (const reports::OutputFile& file : files) {
      write_file_atomic(output / file.path, file.bytes);
    }
  }
}

int score(const ScoreOptions& options) {
  check_output(options);
  const tasks::ScoreFormat& format = tasks::find_score_format(options.format);
  tasks::ScoreInput in{.tasks = split_list(options.tasks),
                       .data_dir = datasets::data_folder(options.data_dir),
                       .code_similarity = code_similarity(options.code_similarity)};
  in.paths.assign(options.paths.begin(), options.paths.end());
  tasks::Scored scored = format.score(in);
  for (const Error& failure : scored.failures) log_warning(failure.what());
  if (!scored.failures.empty() && (scored.runs.empty() || scored.runs.front().samples.empty())) {
    const Error& first = scored.failures.front();
    throw Error(first.kind(), fmt::format("nothing could be scored: {}", first.what()));
  }
  for (runs::RunData& run : scored.runs) run.spec.environment["scored_by"] = program_line();
  log_info("scored by " + program_line());
  if (!scored.old_scores.empty()) {
    log_info(fmt::format("{} of {} scores differ from the stored ones",
                         tasks::changed_scores(scored), scored.old_scores.size()));
  }
  const std::string scores = tasks::scores_jsonl(scored);
  const reports::ReportInput input =
      reports::make_input(std::move(scored.runs), tasks::suite_titles());
  for (const std::string& warning : input.warnings) log_warning(warning);

  const fs::path output = options.output;
  create_folders(output);
  for (const auto& [path, bytes] : scored.files) {
    create_folders((output / path).parent_path());
    write_file_atomic(output / path, bytes);
  }
  write_results(input, output);
  write_file_atomic(output / "scores.jsonl", scores);
  std::fputs((reports::summary_text(input) + visible(scored.text)).c_str(), stdout);
  log_info(fmt::format("written to {}", output.string()));

  const bool whole = std::all_of(input.runs.begin(), input.runs.end(), [](const auto& run) {
    return std::all_of(run.summary.cells.begin(), run.summary.cells.end(),
                       [](const runs::Cell& cell) { return cell.scored == cell.planned; });
  });
  return whole && scored.failures.empty() ? kExitComplete : kExitSomeFailed;
}

}  // namespace

void add_score(CLI::App& sub, int& exit_code) {
  const auto options = std::make_shared<ScoreOptions>();
  std::string formats;
  for (const tasks::ScoreFormat& format : tasks::score_formats()) {
    formats += fmt::format("{}{} ({})", formats.empty() ? "" : "; ", format.name, format.summary);
  }
  sub.add_option("paths", options->paths, "Files and folders of predictions")
      ->check(input_path())
      ->required();
  sub.add_option("--format", options->format, formats)->required();
  sub.add_option("-t,--task,--tasks", options->tasks,
                 "Score these only; names the task of a single file");
  sub.add_option(kOutputFlag, options->output,
                 "Folder for results, scores.jsonl and the format's "
                 "own summary")
      ->required();
  sub.add_option("--data-dir", options->data_dir,
                 "Folder of the dictionary that Chinese LongBench sets need");
  sub.add_option("--code-similarity", options->code_similarity,
                 "difflib or indel, for LongBench's code sets (default difflib)");
  sub.callback([options, &exit_code] { exit_code = score(*options); });
}

}  // namespace elastic::harness
