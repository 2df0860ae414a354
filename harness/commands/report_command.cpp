// `report`: run folders to tables, figures and one HTML file.

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "datasets/folders.h"
#include "engine/api/make_generator.h"
#include "harness/commands/command.h"
#include "harness/commands/flag_values.h"
#include "reports/input.h"
#include "reports/render/write.h"
#include "reports/training_curves.h"
#include "runs/run_store.h"
#include "tasks/registry.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

struct ReportOptions {
  std::vector<std::string> runs, trainings;
  std::string output;
  std::string formats = join(reports::format_names(), ",");
  std::string data_dir;
};

int write_reports(const ReportOptions& options) {
  std::vector<runs::RunData> runs;
  for (const std::string& folder : options.runs) runs.push_back(runs::read_run(folder));
  reports::ReportInput input = reports::make_input(std::move(runs), tasks::suite_titles());
  for (const engine::ModeDescription& mode : engine::list_modes()) {
    input.mode_summaries[mode.name] = mode.summary;
  }
  for (const std::string& warning : input.warnings) log_warning(warning);
  reports::WriteOptions write{.output = options.output, .formats = split_list(options.formats)};
  if (write.formats.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "--format is empty; choose from " + join(reports::format_names(), ", "));
  }
  if (std::find(write.formats.begin(), write.formats.end(), "html") != write.formats.end()) {
    write.plotly_js = datasets::plotly_script(options.data_dir);
  }
  std::vector<reports::TrainingCurves> trainings;
  for (const std::string& folder : options.trainings) {
    trainings.push_back(reports::read_training_curves(folder));
  }
  std::vector<reports::Document> first;
  if (!trainings.empty()) first.push_back(reports::training_document(trainings));
  const std::vector<fs::path> files = reports::write_report(input, write, std::move(first));
  std::fputs(reports::summary_text(input).c_str(), stdout);
  log_info(fmt::format("{} files written to {}", files.size(), options.output));
  for (const fs::path& file : files) {
    if (file.filename() == "report.html") log_page(file);
  }
  return kExitComplete;
}

}  // namespace

void add_report(CLI::App& sub, int& exit_code) {
  const auto options = std::make_shared<ReportOptions>();
  sub.add_option("runs", options->runs, "Run folders; several are shown side by side")
      ->check(input_folder())
      ->required();
  sub.add_option(kOutputFlag, options->output, "Folder for the report's files")->required();
  sub.add_option("--format,--formats", options->formats,
                 "Comma-separated: " + join(reports::format_names(), ", "))
      ->capture_default_str();
  sub.add_option("--training", options->trainings,
                 "Folders of `train`, whose curves are shown as well")
      ->check(input_folder());
  sub.add_option("--data-dir", options->data_dir, "Where plotly.js lies (plotly/plotly.min.js)");
  sub.callback([options, &exit_code] { exit_code = write_reports(*options); });
}

}  // namespace elastic::harness
