// `analyze heads`: which heads of a model look at needles, beside what the router of a run does
// with them; and pattern files of both. `analyze sparsify` (sparsify_command.cpp) runs them.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/python_random.h"
#include "engine/api/make_generator.h"
#include "engine/api/mode_list.h"
#include "harness/commands/command.h"
#include "harness/commands/config_file.h"
#include "harness/commands/flag_values.h"
#include "harness/commands/run_flags.h"
#include "harness/commands/sparsify_command.h"
#include "harness/evaluate/retrieval_heads.h"
#include "reports/head_scores.h"
#include "reports/render/render.h"
#include "reports/render/write.h"
#include "runs/run_store.h"
#include "tasks/registry.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

struct HeadOptions {
  RunOptions run;
  std::string routed_run, config;
};

// What `duo:pattern=` takes: the scores as gates, and beside them the window and where they are
// from.
void write_pattern(const fs::path& folder, const reports::HeadScores& scores) {
  // As the published patterns of DuoAttention (sparse_attention spec 6).
  constexpr int kSink = 128, kRecent = 256;
  write_file_atomic(folder / "full_attention_heads.tsv",
                    reports::pattern_text(reports::by_kv_head(scores)));
  write_file_atomic(folder / "config.json", dump_pretty({{"sink_size", kSink},
                                                         {"recent_size", kRecent},
                                                         {"method", "retrieval scores"},
                                                         {"model_name", scores.model},
                                                         {"tasks", scores.tasks},
                                                         {"samples", scores.samples}}));
}

// Orders in which `analyze sparsify` turns heads sparse: by score, and what that is compared with.
void write_orders(const fs::path& folder, const reports::HeadScores& scores, std::uint64_t seed) {
  const auto write = [&](std::string_view name, const std::vector<std::size_t>& order) {
    const auto gates = reports::gates_of_order(order, static_cast<std::size_t>(scores.heads_kv));
    write_file_atomic(order_file(folder, name), reports::pattern_text(gates));
  };
  std::vector<std::size_t> order = reports::ascending_heads(reports::by_kv_head(scores));
  write(kByScore, order);
  std::reverse(order.begin(), order.end());
  write(kReverse, order);
  write(kRandom, PythonRandom(seed).sample(order.size(), std::ssize(order)));
}

void write_all(const fs::path& folder, const reports::HeadScores& scores,
               const std::vector<reports::HeadRates>& rates) {
  const reports::Document document = reports::head_scores_document(scores, rates);
  for (const reports::Table& table : document.tables) {
    fmt::print("{}\n\n{}\n", table.title, reports::markdown_table(table));
  }
  reports::write_documents({}, {.output = folder, .plotly_js = {}}, {document});
  write_pattern(folder, scores);
  if (!rates.empty()) {
    write_file_atomic(folder / "static.tsv", reports::pattern_text(rates[0].full()));
  }
  log_page(folder / "report.html");
}

int analyze_heads(const HeadOptions& options) {
  if (options.run.output.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "--output is missing; give a folder for the scores");
  }
  std::vector<runs::RunData> runs;
  if (!options.routed_run.empty()) runs.push_back(runs::read_run(options.routed_run));
  const RunSetup setup = set_up(options.run);
  const InterruptGuard guard(kStopNotice);
  const std::vector<NeedlePrompt> prompts = needle_prompts(setup);
  const auto generator = engine::make_generator({.model = setup.model,
                                                 .router = options.run.router,
                                                 .device = options.run.device,
                                                 .dtype = options.run.dtype});
  const std::optional<reports::HeadScores> scores = retrieval_heads(*generator, prompts);
  if (!scores) return kExitSignalBase + interrupted().value();
  std::vector<reports::HeadRates> rates;
  if (!runs.empty()) {
    rates =
        reports::head_rates(reports::make_input(std::move(runs), tasks::suite_titles()), *scores);
  }
  write_all(setup.options.output, *scores, rates);
  write_orders(setup.options.output, *scores, options.run.seed);
  return kExitComplete;
}

}  // namespace

void add_analyze(CLI::App& sub, int& exit_code) {
  sub.require_subcommand(1);
  CLI::App& heads = *sub.add_subcommand(
      "heads", "Attention of every head on the answer in the prompt, and a pattern file of it");
  const auto options = std::make_shared<HeadOptions>();
  options->run.tasks = "ruler/niah_single_1";
  options->run.lengths = "4k";
  options->run.modes = engine::kDenseMode;
  heads.option_defaults()->take_last();
  add_sample_flags(heads, options->run);
  heads.add_option(kOutputFlag, options->run.output, "Folder for scores, report and pattern files");
  heads
      .add_option("--run", options->routed_run,
                  "Folder of a routed run: how often its router kept each head full")
      ->check(input_folder());
  add_config_flag(heads, options->config);
  heads.callback([&heads, &exit_code, options] {
    apply_config_file(heads, options->config);
    exit_code = analyze_heads(*options);
  });
  add_sparsify(sub, exit_code);
}

}  // namespace elastic::harness
