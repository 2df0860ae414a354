// `preview`: the prompt exactly as the model gets it, its ids and its token account. No weights are
// loaded.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "base/unicode.h"
#include "engine/api/mode_list.h"
#include "harness/commands/command.h"
#include "harness/commands/config_file.h"
#include "harness/commands/flag_values.h"
#include "harness/commands/run_flags.h"

namespace elastic::harness {
namespace {

struct PreviewOptions {
  RunOptions run;
  std::int64_t index = 0;
  std::string config;
};

// The one cell, with just enough samples to hold the index.
PlannedCell chosen_cell(const Plan& plan, std::int64_t index) {
  if (plan.tasks.size() != 1) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("--task names {} tasks; preview shows one (`tasks` lists them)",
                            plan.tasks.size()));
  }
  PlannedCell cell = plan.cells.front();  // the shortest length
  cell.samples = index + 1;
  return cell;
}

const tasks::Sample& sample_at(const PreparedCell& cell, std::int64_t index) {
  const auto it = std::find_if(cell.samples.begin(), cell.samples.end(),
                               [&](const tasks::Sample& sample) { return sample.index == index; });
  if (it == cell.samples.end()) {
    throw Error(
        ErrorKind::kInvalidArgument,
        fmt::format("--index {}: {} has samples 0 to {}", index, cell.task->task->info().name,
                    static_cast<std::int64_t>(cell.samples.size()) - 1));
  }
  return *it;
}

void print_preview(const PromptRequest& request, const PreparedPrompt& prepared) {
  const tasks::TaskInfo& info = request.cell.task->task->info();
  const tasks::Prompt& prompt = prepared.prompt;
  const auto tokens = static_cast<std::int64_t>(prompt.ids.size());
  fmt::print("== {} ({}), length {}, sample {}\n", info.name, request.cell.task->profile,
             request.cell.length == 0 ? "as it is" : format_length(request.cell.length),
             request.sample.index);
  fmt::print("== prompt, {} bytes, sha256 {}\n{}\n", prompt.text.size(), prepared.prompt_sha256,
             for_standard_output(prompt.text));
  fmt::print("== ids, sha256 {}\n{}\n", prepared.ids_sha256, fmt::join(prompt.ids, " "));
  fmt::print("== tokens: prompt {}, answer budget {}, together {}; truncated {}; window {}\n",
             tokens, prompt.max_new_tokens, tokens + prompt.max_new_tokens, prompt.truncated_tokens,
             request.window);
  if (request.cell.length > 0) {
    fmt::print("== stated length {}: achieved {:.1f} %\n", request.cell.length,
               100.0 * static_cast<double>(prepared.achieved_tokens) /
                   static_cast<double>(request.cell.length));
  }
  for (const auto& [step, what] : prompt.steps) fmt::print("== {}: {}\n", step, visible(what));
  fmt::print("== references: {}\n", visible(join(request.sample.references, " | ")));
  for (const auto& [key, value] : request.sample.strata) {
    fmt::print("== {}: {}\n", visible(key), visible(value));
  }
  if (prepared.error) fmt::print("== would fail: {}\n", visible(*prepared.error));
}

void preview(PreviewOptions& options) {
  options.run.modes = engine::kDenseMode;  // a prompt does not depend on it
  RunSetup setup = set_up(options.run);
  const PromptParts parts = load_prompt_parts(setup.model);
  const PlannedCell planned = chosen_cell(setup.plan, options.index);
  setup.plan.cells = {planned};
  const PreparedCell cell = prepare_cells(setup, parts).front();
  const PromptRequest request = prompt_request(setup, parts, cell, sample_at(cell, options.index));
  print_preview(request, prepare_prompt(request));
}

}  // namespace

void add_preview(CLI::App& sub, int& exit_code) {
  const auto options = std::make_shared<PreviewOptions>();
  sub.add_option("-t,--task,--tasks", options->run.tasks, "One task; see `tasks`");
  sub.add_option("-m,--model", options->run.model, kModelHelp);
  sub.add_option("--length,--lengths", options->run.lengths, "Tokens, for tasks that have lengths");
  sub.add_option("--index", options->index, "Which sample (default 0)")
      ->transform(whole_number(0, kMostSamples - 1));
  sub.add_option("--seed", options->run.seed, "Seed of the data (default 42)")
      ->transform(whole_number(0, kMostSeed));
  sub.add_option("--profile,--profiles", options->run.profiles, "Profile of the task's suite");
  add_prompt_flags(sub, options->run);
  add_data_flags(sub, options->run);
  add_config_flag(sub, options->config);
  sub.callback([&sub, &exit_code, options] {
    apply_config_file(sub, options->config);
    preview(*options);
    exit_code = kExitComplete;
  });
}

}  // namespace elastic::harness
