// `similarity`: how alike the tasks look to a model's routers, before and after the task MLP
// (elastic_attention spec 5.5).

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "engine/api/make_generator.h"
#include "harness/commands/command.h"
#include "harness/commands/config_file.h"
#include "harness/commands/flag_values.h"
#include "harness/commands/run_flags.h"
#include "harness/evaluate/router_similarity.h"
#include "harness/run/build_info.h"
#include "reports/render/render.h"
#include "reports/render/write.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

struct SimilarityOptions {
  RunOptions run;
  std::string layers = "0", by = "task", config;
};

std::vector<std::int64_t> parse_layers(const std::string& list, std::int64_t model_layers) {
  std::vector<std::int64_t> layers;
  for (const std::string& text : split_list(list)) {
    const std::optional<std::int64_t> layer = parse_int(text);
    if (!layer || *layer < 0 || *layer >= model_layers) {
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("--layers: `{}` is no layer; the model has 0 to {}", text, model_layers - 1));
    }
    layers.push_back(*layer);
  }
  if (layers.empty()) throw Error(ErrorKind::kInvalidArgument, "--layers names no layer");
  return layers;
}

// What the numbers depend on.
reports::Table settings_table(const RunSetup& setup, const engine::Generator& generator) {
  reports::Table table{"settings", "Settings", "", {{"setting", ""}, {"value", ""}}, {}, {}};
  const auto add = [&](const std::string& key, const std::string& value) {
    table.rows.push_back({reports::Cell{key}, reports::Cell{value}});
  };
  add("program", program_facts().at("program"));
  add("model", setup.model.string());
  add("weights sha256", generator.model().weights_sha256);
  add("config sha256", generator.model().config_sha256);
  add("mode", generator.mode());
  add("device", generator.device() + ", " + generator.dtype());
  add("seed", std::to_string(setup.options.seed));
  std::vector<std::string> lengths;
  for (const std::int64_t length : setup.plan.lengths) lengths.push_back(format_length(length));
  if (!lengths.empty()) add("lengths", join(lengths, ", "));
  for (const auto& task : setup.plan.tasks) add(task->task->info().name, task->profile);
  return table;
}

void write_similarity(const fs::path& folder, reports::Table settings,
                      const std::vector<reports::TaskSimilarity>& similarities) {
  reports::Document document = reports::task_similarity_document(similarities);
  fmt::print("{}\n\n{}\n", document.tables.front().title,
             reports::markdown_table(document.tables.front()));
  document.tables.push_back(std::move(settings));
  reports::write_documents({}, {.output = folder, .plotly_js = {}}, {document});
  log_page(folder / "report.html");
}

int similarity(const SimilarityOptions& options) {
  if (options.run.output.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "--output is missing; give a folder for the report");
  }
  const RunSetup setup = set_up(options.run);
  const std::vector<std::int64_t> layers = parse_layers(options.layers, setup.config.layers);
  const InterruptGuard guard(kStopNotice);
  const std::vector<TaskPrompts> prompts =
      task_prompts(setup, options.by == "task" ? Grouping::kTask : Grouping::kCategory);
  if (prompts.size() < 2) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("--tasks: {} alone has nothing to be compared with; give at least two "
                            "tasks (`tasks` lists them)",
                            prompts.front().task));
  }
  const auto generator = engine::make_generator({.model = setup.model,
                                                 .router = options.run.router,
                                                 .device = options.run.device,
                                                 .dtype = options.run.dtype});
  generator->set_mode(options.run.modes);
  const auto similarities = router_similarity(*generator, prompts, layers);
  if (similarities.empty()) return kExitSignalBase + interrupted().value();
  write_similarity(setup.options.output, settings_table(setup, *generator), similarities);
  return kExitComplete;
}

}  // namespace

void add_similarity(CLI::App& sub, int& exit_code) {
  const auto options = std::make_shared<SimilarityOptions>();
  options->run.modes = "fa-ssa";
  sub.option_defaults()->take_last();
  add_sample_flags(sub, options->run);
  sub.add_option(kOutputFlag, options->run.output, "Folder for the report");
  sub.add_option("--mode,--modes", options->run.modes,
                 "A routed mode (decides how layers below run)")
      ->capture_default_str();
  sub.add_option("--layers,--layer", options->layers,
                 "Comma-separated layers whose routers are looked at")
      ->capture_default_str();
  sub.add_option("--by", options->by, "Compare tasks, or the categories they belong to")
      ->check(CLI::IsMember({"task", "category"}))
      ->capture_default_str();
  add_config_flag(sub, options->config);
  sub.callback([&sub, &exit_code, options] {
    apply_config_file(sub, options->config);
    exit_code = similarity(*options);
  });
}

}  // namespace elastic::harness
