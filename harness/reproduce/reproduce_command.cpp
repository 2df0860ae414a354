// `reproduce`: a table or figure of the paper made again, its numbers beside ours.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "base/unicode.h"
#include "datasets/folders.h"
#include "harness/commands/command.h"
#include "harness/commands/config_file.h"
#include "harness/commands/flag_values.h"
#include "harness/commands/run_flags.h"
#include "harness/reproduce/experiments.h"
#include "reports/input.h"
#include "reports/render/render.h"
#include "reports/render/write.h"
#include "tasks/registry.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

struct ReproduceFlags {
  ReproduceOptions options;
  std::vector<std::string> name;
  std::string format = "md", config;
  bool list = false;
};

reports::Document list_document() {
  reports::Table table{"experiments", "Experiments", "", {}, {}, {}};
  table.columns = {{"name", ""}, {"shows", ""}, {"needs", ""}, {"here", ""}, {"note", ""}};
  reports::Sheet sheet{"experiments", table.columns, {}, {}};
  for (const Experiment& one : experiments()) {
    sheet.rows.push_back({one.name, one.title, one.needs, one.reproduce ? "yes" : "no", one.note});
    std::vector<reports::Cell> row;
    for (const reports::Value& value : sheet.rows.back()) row.push_back({.value = value});
    table.rows.push_back(std::move(row));
  }
  return {"experiments", "Experiments", "", {sheet}, {table}, {}};
}

void print(const reports::Document& document, const std::string& format) {
  if (format == "md") {
    if (!document.intro.empty()) fmt::print("{}\n", for_standard_output(document.intro));
    for (const reports::Table& table : document.tables) {
      fmt::print("{}{}\n\n{}",
                 &table == &document.tables.front() && document.intro.empty() ? "" : "\n",
                 for_standard_output(table.title), reports::markdown_table(table));
    }
    return;
  }
  const std::vector<reports::Document> documents{document};
  const auto files =
      format == "csv" ? reports::render_csv(documents) : reports::render_json(documents);
  for (const reports::OutputFile& file : files) fmt::print("{}", file.bytes);
}

// Everything that `report` writes of the run, the paper's numbers first.
void write_page(const ReproduceFlags& flags, const reports::Document& document,
                const std::optional<runs::RunData>& run) {
  const fs::path folder = fs::path(flags.options.run.output) / "report";
  const reports::WriteOptions write{
      .output = folder, .plotly_js = datasets::plotly_script(flags.options.run.data_dir)};
  if (run) {
    reports::write_report(reports::make_input({*run}, tasks::suite_titles()), write, {document});
  } else {
    reports::write_documents({}, write, {document});
  }
  log_page(folder / "report.html");
}

int reproduce(const ReproduceFlags& flags) {
  if (flags.list) {
    print(list_document(), flags.format);
    return kExitComplete;
  }
  if (flags.name.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "name a table or figure of the paper; `reproduce --list` shows them");
  }
  const Experiment& experiment = find_experiment(join(flags.name, "-"));
  if (experiment.reproduce == nullptr) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{} is not reproduced: {}", experiment.name, experiment.note));
  }
  if (flags.options.run.output.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "--output is missing; give a folder for what is made");
  }
  const Reproduced made = experiment.reproduce(experiment, flags.options);
  if (!made.reproduction) return made.exit_code;
  const reports::Document document = reports::reproduction_document(*made.reproduction);
  print(document, flags.format);
  write_page(flags, document, made.run);
  return made.exit_code;
}

}  // namespace

void add_reproduce(CLI::App& sub, int& exit_code) {
  const auto flags = std::make_shared<ReproduceFlags>();
  sub.add_option("experiment", flags->name, "table1 to table10, fig1 to fig14");
  sub.add_flag("--list", flags->list, "What there is, what it needs, and what is not reproduced");
  ReproduceOptions& options = flags->options;
  add_run_flags(sub, options.run, flags->config);
  sub.add_option("--format", flags->format, "Standard output: md, csv or json")
      ->capture_default_str()
      ->check(CLI::IsMember({"md", "csv", "json"}, CLI::ignore_case));
  sub.add_option("--paper-model", options.paper_model,
                 "Whose rows of the paper: Qwen3-4B, Qwen3-8B or Llama-3.1-8B-Instruct (default: "
                 "the model of the same shape, else the first printed)");
  sub.callback([&sub, &exit_code, flags] {
    apply_config_file(sub, flags->config);
    exit_code = reproduce(*flags);
  });
}

}  // namespace elastic::harness
