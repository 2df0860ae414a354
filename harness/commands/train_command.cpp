// `train`: head routers on a frozen backbone, or a small backbone from scratch.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/api/tokenizer.h"
#include "engine/api/train_router.h"
#include "harness/commands/command.h"
#include "harness/commands/flag_values.h"
#include "harness/commands/run_setup.h"
#include "harness/commands/train_config.h"
#include "harness/commands/train_tokenizer.h"
#include "tasks/training/training_mix.h"

namespace elastic::harness {
namespace {

constexpr const char* kNotice =
    "stopping after this step and its checkpoint; --resume goes on. Again to stop at once\n";

struct TrainFlags {
  std::string config, output, base;
  std::string device = "auto";
  bool resume = false;
  double max_minutes = 0;
};

using TrainFunction = engine::TrainResult (*)(const engine::TrainOptions&,
                                              const engine::BatchSource&);

// The variables that torchrun sets.
engine::ProcessOptions processes_from_environment() {
  const Ranks ranks = ranks_from_environment();
  engine::ProcessOptions processes{.rank = ranks.rank, .world = ranks.world_size};
  if (const char* address = std::getenv("MASTER_ADDR")) processes.address = address;
  if (const char* port = std::getenv("MASTER_PORT")) {
    const std::string_view text = port;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), processes.port);
    if (parsed.ec != std::errc() || processes.port < 1 || processes.port > 65535) {
      throw Error(ErrorKind::kInvalidArgument, fmt::format("MASTER_PORT is `{}`", text));
    }
  }
  const char* agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  processes.launcher_serves = agent != nullptr && std::string_view(agent) == "True";
  return processes;
}

TrainConfig read_flags(const TrainFlags& flags, bool routed) {
  TrainConfig config = read_train_config(flags.config);
  engine::TrainOptions& options = config.options;
  options.output = flags.output;
  options.device = flags.device;
  options.resume = flags.resume;
  options.max_minutes = flags.max_minutes;
  options.processes = processes_from_environment();
  if (!flags.base.empty()) options.base = flags.base;
  if (routed) {
    require_base(options, flags.config);
    return config;
  }
  const bool scratch = options.base.empty();
  if (scratch == options.config_json.empty() || (scratch && options.tokenizer.empty())) {
    throw Error(ErrorKind::kInvalidArgument,
                flags.config +
                    ": name `base` (a checkpoint to go on from), or `model` (the config.json of a "
                    "new model) and `tokenizer` (a folder with its tokenizer)");
  }
  resolve_folders(options);
  return config;
}

int train(const TrainFlags& flags, bool routed) {
  const TrainConfig config = read_flags(flags, routed);
  set_log_rank(config.options.processes.rank);
  const InterruptGuard guard(kNotice);
  const engine::Tokenizer tokenizer = engine::Tokenizer::load(config.options.tokenizer);
  const engine::BatchSource source = tasks::make_training_mix(config.data, tokenizer);
  const TrainFunction function = routed ? engine::train_router : engine::train_backbone;
  const engine::TrainResult result = function(config.options, source);
  if (config.options.processes.rank > 0) return kExitComplete;
  if (result.end == engine::TrainEnd::kFinished && result.tokens_per_second == 0) {
    fmt::print("all {} steps were done before\n", result.steps);
    return kExitComplete;
  }
  fmt::print("{} steps, {:.1f} M tokens, loss {:.4f}; this command: {:.1f} s, {:.0f} tokens/s\n",
             result.steps, static_cast<double>(result.tokens) / 1e6, result.loss, result.seconds,
             result.tokens_per_second);
  fmt::print(
      "a step: forward {:.1f} ms, backward {:.1f} ms, optimiser {:.1f} ms, waiting for data "
      "{:.1f} ms; peak memory {}\n",
      result.forward_ms, result.backward_ms, result.optimizer_ms, result.data_wait_ms,
      format_bytes(result.peak_bytes));
  if (result.end == engine::TrainEnd::kFinished) return kExitComplete;
  fmt::print("not finished: {} of {} steps; the same command with --resume goes on\n", result.steps,
             config.options.steps);
  return result.end == engine::TrainEnd::kInterrupted ? kExitSignalBase + result.signal
                                                      : kExitComplete;
}

void add_part(CLI::App& sub, int& exit_code, const char* name, const char* summary, bool routed) {
  CLI::App& part = *sub.add_subcommand(name, summary);
  const auto flags = std::make_shared<TrainFlags>();
  part.add_option("--config", flags->config, "JSON file of the training (docs/training.md)")
      ->check(input_file())
      ->required();
  part.add_option(kOutputFlag, flags->output, "Folder for curves, state and the trained model")
      ->required();
  part.add_option("--base", flags->base, "Checkpoint to start from, instead of the file's `base`");
  part.add_option("--device", flags->device, "cpu, cuda or auto")->capture_default_str();
  part.add_flag("--resume", flags->resume, "Go on from the last checkpoint, if there is one");
  part.add_option("--max-minutes", flags->max_minutes, "Stop with a checkpoint after this time")
      ->transform(real_number(0, kMostMinutes));
  part.callback([&exit_code, flags, routed] { exit_code = train(*flags, routed); });
}

}  // namespace

void add_train(CLI::App& sub, int& exit_code) {
  sub.require_subcommand(1);
  add_part(sub, exit_code, "router", "Head routers of a checkpoint, its backbone frozen", true);
  add_part(sub, exit_code, "backbone", "A small model from scratch", false);
  setup_train_tokenizer(sub);
}

}  // namespace elastic::harness
