// `bench training`: tokens a second, memory and the split of a training step, over random tokens.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/train/train_router.h"
#include "harness/commands/bench_command.h"
#include "harness/commands/model_folder.h"
#include "harness/commands/train_config.h"

namespace elastic::harness {
namespace {

struct BenchTrainingOptions {
  std::string config, shape, model;
  std::string lengths = "8k";
  std::string device = "auto";
  std::int64_t tokens = 65536, steps = 20, vocab = 0;
};

std::vector<std::int64_t> parse_lengths(const std::string& text) {
  std::vector<std::int64_t> lengths;
  for (const std::string_view part : split(text, ',')) lengths.push_back(parse_length(part));
  return lengths;
}

// Documents of one length that fill `tokens`; the last 5 % of each is its answer.
engine::BatchSource random_source(std::int64_t length, std::int64_t tokens, std::int64_t vocab) {
  engine::BatchSource source;
  source.tasks = {{"random", 0.7}};
  source.draw = [=](const engine::BatchPosition& at) {
    std::mt19937 random(static_cast<std::uint32_t>(at.step));
    std::vector<engine::TrainingDocument> documents;
    for (std::int64_t used = 0; used == 0 || used + length <= tokens; used += length) {
      engine::TrainingDocument& d = documents.emplace_back();
      d.prompt_tokens = length - length / 20;
      for (std::int64_t t = 0; t < length; ++t) {
        d.ids.push_back(static_cast<std::int32_t>(random() % static_cast<std::uint32_t>(vocab)));
        d.is_answer.push_back(t >= d.prompt_tokens ? 1 : 0);
      }
    }
    return documents;
  };
  return source;
}

void bench_training(const BenchTrainingOptions& flags, bool routed) {
  engine::TrainOptions options;
  if (!flags.config.empty()) options = read_train_config(flags.config).options;
  if (!flags.shape.empty()) options.random_shape = flags.shape;
  if (!flags.model.empty()) options.base = model_folder(flags.model);
  options.output.clear();
  options.device = flags.device;
  options.steps = flags.steps;
  fmt::print("{:>8} {:>12} {:>12} {:>14} {:>12} {:>14} {:>12}\n", "tokens", "tokens/s",
             "forward ms", "backward ms", "optim. ms", "data wait ms", "peak memory");
  for (const std::int64_t length : parse_lengths(flags.lengths)) {
    const engine::BatchSource source = random_source(length, flags.tokens, flags.vocab);
    engine::TrainOptions warm = options;
    warm.steps = 2;
    const auto train = routed ? engine::train_router : engine::train_backbone;
    train(warm, source);
    const engine::TrainResult r = train(options, source);
    fmt::print("{:>8} {:>12.0f} {:>12.2f} {:>14.2f} {:>12.2f} {:>14.2f} {:>12}\n",
               format_length(length), r.tokens_per_second, r.forward_ms, r.backward_ms,
               r.optimizer_ms, r.data_wait_ms, format_bytes(r.peak_bytes));
  }
}

void add_part(CLI::App& sub, const char* name, const char* summary, bool routed) {
  CLI::App& part = *sub.add_subcommand(name, summary);
  const auto flags = std::make_shared<BenchTrainingOptions>();
  CLI::Option* config =
      part.add_option("--config", flags->config, "A training's JSON file (its data is not read)");
  if (routed) {
    part.add_option("--shape", flags->shape, "llama-3.1-8b, qwen3-4b, ...: random weights");
    part.add_option("--model", flags->model, "Checkpoint folder, or demo");
  } else {
    config->required();
  }
  part.add_option("--lengths", flags->lengths, "Tokens a document")->capture_default_str();
  part.add_option("--tokens", flags->tokens, "Tokens a step")->capture_default_str();
  part.add_option("--vocab", flags->vocab, "Token ids are drawn below this")->required();
  part.add_option("--steps", flags->steps, "Timed steps")->capture_default_str();
  part.add_option("--device", flags->device, "cpu, cuda or auto")->capture_default_str();
  part.callback([flags, routed] { bench_training(*flags, routed); });
}

}  // namespace

void add_bench_training(CLI::App& bench, int&) {
  CLI::App& sub = *bench.add_subcommand("training", "Tokens a second and the split of a step");
  sub.require_subcommand(1);
  add_part(sub, "router", "Head routers, the backbone frozen", true);
  add_part(sub, "backbone", "A model from scratch", false);
}

}  // namespace elastic::harness
