// `reproduce`: a table or figure of the paper made again, its numbers beside ours.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
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

constexpr std::int64_t kMostLayers = 1024;

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

// What is timed without weights stands beside a GPU's times; a machine without one is told what
// still works there.
Reproduced make(const Experiment& experiment, const ReproduceOptions& options) {
  try {
    return experiment.reproduce(experiment, options);
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: a point is not as this program writes it ({}); remove it",
                            (fs::path(options.run.output) / "points").string(), error.what()));
  } catch (const Error& error) {
    const bool timed = options.run.model.empty() && options.run.device == "auto";
    if (error.kind() != ErrorKind::kDevice || !timed) throw;
    throw Error(ErrorKind::kDevice,
                fmt::format("{} is measured on a GPU ({}); `--device cpu --shape tiny-4x8x64 "
                            "--lengths 512` shows it at work without one",
                            experiment.name, error.what()));
  }
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
  const Reproduced made = make(experiment, flags.options);
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
  sub.add_option("--shape", options.shape,
                 "Shape of measurements without weights: llama-3.1-8b, qwen3-4b, ...")
      ->capture_default_str();
  sub.add_option("--layers", options.layers, "So many layers of that shape alone")
      ->transform(whole_number(1, kMostLayers));
  sub.add_option("-r,--repetitions", options.repetitions,
                 "Timed runs of a measurement (default 3; of a router, 50)")
      ->transform(whole_number(1, kMostRepetitions));
  sub.add_option("--training", options.training,
                 "JSON file of a router training and its evaluation, as `ablate --config` takes it")
      ->check(input_file());
  sub.add_option("--max-minutes", options.max_minutes,
                 "Stop trainings with a checkpoint after this time")
      ->transform(real_number(0, kMostMinutes));
  sub.add_option("--paper-model", options.paper_model,
                 "Whose rows of the paper: Qwen3-4B, Qwen3-8B or Llama-3.1-8B-Instruct (default: "
                 "the model of the same shape, else the first printed)");
  sub.footer(
      "Examples:\n"
      "  reproduce --list\n"
      "  reproduce table1 --model DIR --router ROUTERS --output out       all of it, resumed\n"
      "  reproduce table2 --model demo --lengths 4k --limit 2 --modes fa,fa-ssa --output out\n"
      "  reproduce fig4 --output out                                      on a GPU, no weights\n"
      "  reproduce fig7 --training models/demo/training/ablation.json --output out\n"
      "Verdicts, rows, columns and what each experiment takes: docs/reproduce.md");
  sub.callback([&sub, &exit_code, flags] {
    apply_config_file(sub, flags->config);
    exit_code = reproduce(*flags);
  });
}

}  // namespace elastic::harness
