// `ablate`: routers trained with one setting varied, each run on the same prompts, in one report
// beside the paper's ablation.

#include "harness/commands/ablate_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "base/unicode.h"
#include "harness/commands/command.h"
#include "harness/commands/config_file.h"
#include "harness/commands/flag_values.h"
#include "harness/commands/run_flags.h"
#include "reports/render/render.h"

namespace elastic::harness {
namespace {

struct AblateFlags {
  std::string config, output, values, data_dir;
  std::string device = "auto";
  AblationOptions ablation;
};

int ablate(const AblationAxis& axis, const AblateFlags& flags) {
  const AblationFile file = read_ablation_file(flags.config);
  AblationOptions options = flags.ablation;
  options.training = file.training;
  options.training_source = file.training_source;
  options.evaluation = evaluation_options(file);
  options.evaluation.device = flags.device;
  if (!flags.data_dir.empty()) options.evaluation.data_dir = flags.data_dir;
  options.output = flags.output;
  options.settings = split_list(flags.values.empty() ? axis.values : flags.values);
  const AblationResult result = run_ablation(axis, options);
  for (const reports::Table& table : result.tables) {
    fmt::print("{}\n\n{}\n", visible(table.title), reports::markdown_table(table));
  }
  if (!result.page.empty()) log_page(result.page);
  if (result.done < options.settings.size()) {
    log_info(fmt::format("{} of {} settings done; the same command with --resume goes on",
                         result.done, options.settings.size()));
  }
  if (result.signal) return kExitSignalBase + *result.signal;
  return result.some_failed ? kExitSomeFailed : kExitComplete;
}

}  // namespace

RunOptions evaluation_options(const AblationFile& file) {
  CLI::App app;
  RunOptions options;
  std::string unused;
  add_run_flags(app, options, unused);
  for (const char* own : {"model", "router", "modes", "output", "device", "dry_run"}) {
    if (!file.evaluation.is_object() || !file.evaluation.contains(own)) continue;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: key `{}` is set by the ablation itself; leave it out",
                            file.evaluation_source, own));
  }
  apply_config(app, file.evaluation, file.evaluation_source);
  return options;
}

void add_ablate(CLI::App& sub, int& exit_code) {
  sub.require_subcommand(1);
  for (const AblationAxis& axis : ablation_axes()) {
    CLI::App& part = *sub.add_subcommand(axis.name, axis.summary);
    const auto flags = std::make_shared<AblateFlags>();
    part.add_option("--config", flags->config,
                    "JSON file: `training` (a router training) and `evaluation` (flags of run); "
                    "docs/ablations.md")
        ->check(input_file())
        ->required();
    part.add_option(kOutputFlag, flags->output, "Folder for trainings, runs and the report")
        ->required();
    part.add_option("--values,--value", flags->values,
                    fmt::format("Comma-separated settings (default {})", axis.values));
    part.add_option("--device", flags->device, "cpu, cuda or auto")->capture_default_str();
    part.add_option("--data-dir", flags->data_dir, "Folder of benchmark data");
    part.add_flag("--resume", flags->ablation.resume, "Go on where an earlier command stopped");
    part.add_option("--max-minutes", flags->ablation.max_minutes,
                    "Stop with a checkpoint after this time")
        ->transform(real_number(0, kMostMinutes));
    part.callback([&exit_code, &axis, flags] { exit_code = ablate(axis, *flags); });
  }
}

}  // namespace elastic::harness
