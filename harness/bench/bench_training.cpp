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
#include "engine/api/train_router.h"
#include "harness/bench/bench_command.h"
#include "harness/commands/flag_values.h"
#include "harness/train/train_config.h"

namespace elastic::harness {
namespace {

struct BenchTrainingOptions {
  std::string config, shape, model;
  std::string lengths = "8k";
  std::string device = "auto";
  std::int64_t tokens = 65536, steps = 20, vocab = 0;
  BenchFlags flags;
};

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

void print_markdown(const Json& result) {
  fmt::print("{} on {}; {} timed steps of {} tokens after 2\n\n",
             result["training"].get<std::string>(), result["device"].get<std::string>(),
             result["steps"].get<std::int64_t>(), result["tokens_per_step"].get<std::int64_t>());
  fmt::print(
      "| tokens | tokens/s | forward ms | backward ms | optimiser ms | data wait ms | peak |\n"
      "|---|---|---|---|---|---|---|\n");
  for (const Json& row : result["rows"]) {
    const auto number = [&row](const char* key) { return row[key].get<double>(); };
    fmt::print("| {} | {:.0f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {} |\n",
               format_length(row["document_tokens"].get<std::int64_t>()),
               number("tokens_per_second"), number("forward_ms"), number("backward_ms"),
               number("optimizer_ms"), number("data_wait_ms"),
               format_bytes(row["peak_bytes"].get<std::int64_t>()));
  }
}

void print_rows(const Json& result) {
  print_csv(result, {"training", "device", "steps", "tokens_per_step"});
}

int bench_training(const BenchTrainingOptions& flags, bool routed) {
  engine::TrainOptions options;
  if (!flags.config.empty()) options = read_train_config(flags.config).options;
  if (!flags.shape.empty()) options.random_shape = flags.shape;
  if (!flags.model.empty()) options.base = flags.model;
  resolve_folders(options);
  options.output.clear();
  options.device = flags.device;
  options.steps = flags.steps;
  Json result = {{"training", routed ? "router" : "backbone"},
                 {"device", flags.device},
                 {"steps", flags.steps},
                 {"tokens_per_step", flags.tokens},
                 {"rows", Json::array()}};
  engine::GpuWatch watch(flags.device);
  for (const std::string& text : split_list(flags.lengths)) {
    const std::int64_t length = parse_length(text);
    const engine::BatchSource source = random_source(length, flags.tokens, flags.vocab);
    engine::TrainOptions warm = options;
    warm.steps = 2;
    const auto train = routed ? engine::train_router : engine::train_backbone;
    train(warm, source);
    const engine::TrainResult r = train(options, source);
    result["rows"].push_back({{"document_tokens", length},
                              {"tokens_per_second", r.tokens_per_second},
                              {"forward_ms", r.forward_ms},
                              {"backward_ms", r.backward_ms},
                              {"optimizer_ms", r.optimizer_ms},
                              {"data_wait_ms", r.data_wait_ms},
                              {"peak_bytes", r.peak_bytes}});
  }
  if (result["rows"].empty()) {
    throw Error(ErrorKind::kInvalidArgument, "--lengths names no length");
  }
  Faults faults;
  note_gpu(watch, result, faults);
  return print_result("training", std::move(result), faults, flags.flags, print_rows,
                      print_markdown);
}

void add_part(CLI::App& sub, int& exit_code, const char* name, const char* summary, bool routed) {
  CLI::App& part = *sub.add_subcommand(name, summary);
  const auto flags = std::make_shared<BenchTrainingOptions>();
  CLI::Option* config =
      part.add_option("--config", flags->config, "A training's JSON file (its data is not read)")
          ->check(input_file());
  if (routed) {
    part.add_option("--shape", flags->shape, "llama-3.1-8b, qwen3-4b, ...: random weights");
    part.add_option("-m,--model", flags->model, kModelHelp);
  } else {
    config->required();
  }
  part.add_option("--lengths,--length", flags->lengths, "Tokens a document")->capture_default_str();
  part.add_option("--tokens", flags->tokens, "Tokens a step")
      ->transform(token_count())
      ->capture_default_str();
  part.add_option("--vocab", flags->vocab, "Token ids are drawn below this")
      ->transform(whole_number(1, INT32_MAX))
      ->required();
  part.add_option("--steps", flags->steps, "Timed steps")
      ->transform(whole_number(1, kMostRepetitions))
      ->capture_default_str();
  part.add_option("--device", flags->device, "cpu, cuda or auto")->capture_default_str();
  add_format_flag(part, flags->flags);
  part.callback([flags, routed, &exit_code] { exit_code = bench_training(*flags, routed); });
}

}  // namespace

void add_bench_training(CLI::App& bench, int& exit_code) {
  CLI::App& sub = *bench.add_subcommand("training", "Tokens a second and the split of a step");
  sub.require_subcommand(1);
  add_part(sub, exit_code, "router", "Head routers, the backbone frozen", true);
  add_part(sub, exit_code, "backbone", "A model from scratch", false);
}

}  // namespace elastic::harness
