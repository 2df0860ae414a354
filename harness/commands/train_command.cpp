// `train`: head routers or fixed head gates on a frozen backbone, a small backbone from scratch, or
// the tokenizer of one.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"
#include "harness/commands/command.h"
#include "harness/commands/config_file.h"
#include "harness/commands/flag_values.h"
#include "harness/run/processes.h"
#include "harness/train/learn_tokenizer.h"
#include "harness/train/train_config.h"

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

TrainConfig read_flags(const TrainFlags& flags, Trainer trainer) {
  TrainConfig config = read_train_config(flags.config);
  engine::TrainOptions& options = config.options;
  options.output = flags.output;
  options.device = flags.device;
  options.resume = flags.resume;
  options.max_minutes = flags.max_minutes;
  options.processes = processes_from_environment();
  if (!flags.base.empty()) options.base = flags.base;
  if (trainer == engine::train_backbone) {
    require_start(options, flags.config);
  } else {
    require_base(options, flags.config);
  }
  return config;
}

int train(const TrainFlags& flags, Trainer trainer) {
  const TrainConfig config = read_flags(flags, trainer);
  set_log_rank(config.options.processes.rank);
  const InterruptGuard guard(kNotice);
  const engine::TrainResult result = run_training(config, trainer);
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

void add_part(CLI::App& sub, int& exit_code, const char* name, const char* summary,
              Trainer trainer) {
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
  part.callback([&exit_code, flags, trainer] { exit_code = train(*flags, trainer); });
}

struct TokenizerFlags {
  std::string config, output, data_dir;
  LearnOptions learn;
};

void train_tokenizer(const TokenizerFlags& flags) {
  LearnOptions options = flags.learn;
  options.output = flags.output;
  options.data_dir = flags.data_dir;
  const LearnedTokenizer learned = learn_tokenizer(options);
  fmt::print("{}: {} pieces, seed {}, sha256 {}\n", learned.model.string(), learned.pieces,
             options.seed, learned.sha256);
}

void add_tokenizer_part(CLI::App& sub) {
  CLI::App& part = *sub.add_subcommand(
      "tokenizer", "Learn the demo model's tokenizer from synthetic text and word lists");
  const auto flags = std::make_shared<TokenizerFlags>();
  LearnOptions& learn = flags->learn;
  add_config_flag(part, flags->config);
  part.add_option(kOutputFlag, flags->output,
                  "Folder for tokenizer.model and tokenizer_config.json");
  part.add_option("--vocab-size", learn.vocab_size, "Pieces")
      ->transform(whole_number(512, 131072))
      ->capture_default_str();
  part.add_option("--seed", learn.seed, "Seed of the text")
      ->transform(whole_number(0, kMostSeed))
      ->capture_default_str();
  part.add_option("--max-length", learn.max_length, "model_max_length of the configuration")
      ->transform(token_count())
      ->capture_default_str();
  part.add_option("--data-dir", flags->data_dir, "Folder of the word lists (see `data list`)");
  part.callback([&part, flags] {
    apply_config_file(part, flags->config);
    train_tokenizer(*flags);
  });
}

}  // namespace

void add_train(CLI::App& sub, int& exit_code) {
  sub.require_subcommand(1);
  add_part(sub, exit_code, "router", "Head routers of a checkpoint, its backbone frozen",
           engine::train_router);
  add_part(sub, exit_code, "heads",
           "A fixed pattern of full and streaming heads: DuoAttention's gates, PruLong's masks",
           engine::train_heads);
  add_part(sub, exit_code, "backbone", "A small model from scratch", engine::train_backbone);
  add_tokenizer_part(sub);
}

}  // namespace elastic::harness
