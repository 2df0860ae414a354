// `generate`: one prompt through a model: text or ids in, continuation, routing, logits out.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/api/chat_template.h"
#include "engine/api/make_generator.h"
#include "engine/api/mode_list.h"
#include "engine/api/result_json.h"
#include "engine/api/tensor_file.h"
#include "engine/api/token_ids.h"
#include "engine/api/tokenizer.h"
#include "harness/commands/command.h"
#include "harness/commands/flag_values.h"
#include "harness/run/model_path.h"
#include "tasks/chat_wrapper.h"

namespace elastic::harness {
namespace {

struct GenerateOptions {
  std::string model, router;
  std::optional<std::string> prompt, prompt_file, ids, ids_file;
  std::string mode{engine::kDenseMode};
  std::string device = "auto", dtype = "auto";
  bool chat = false;
  engine::Request request;
  bool json = false;
  std::string logits_file, trace_file;
};

std::string in_chat_template(const std::filesystem::path& folder, std::string_view text) {
  const auto chat = engine::ChatTemplate::load(folder);
  if (!chat) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("--chat: {} has no chat template; copy its chat_template.jinja or "
                            "tokenizer_config.json, or leave the flag out",
                            folder.string()));
  }
  return tasks::in_chat_template(*chat, text, std::nullopt);
}

std::vector<std::int32_t> prompt_ids(const GenerateOptions& options,
                                     const std::filesystem::path& folder) {
  const int sources = options.prompt.has_value() + options.prompt_file.has_value() +
                      options.ids.has_value() + options.ids_file.has_value();
  if (sources != 1) {
    throw Error(ErrorKind::kInvalidArgument,
                "give exactly one of --prompt, --prompt-file, --ids, --ids-file");
  }
  if (options.ids) return engine::parse_ids(*options.ids, "--ids");
  if (options.ids_file) return engine::parse_ids(read_file(*options.ids_file), *options.ids_file);
  const std::string text = options.prompt ? *options.prompt : read_file(*options.prompt_file);
  const engine::Tokenizer tokenizer = engine::Tokenizer::load(folder);
  std::vector<std::int32_t> ids =
      options.chat ? engine::encode_single_bos(tokenizer, in_chat_template(folder, text))
                   : tokenizer.encode(text);
  if (ids.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "the prompt is empty and the tokenizer adds no BOS");
  }
  return ids;
}

void print_result(const GenerateOptions& options, const engine::Result& result,
                  std::size_t prompt_tokens, bool has_text) {
  if (options.json) {
    std::cout << dump_line(engine::result_json(result, prompt_tokens, has_text)) << '\n';
  } else if (has_text) {
    std::cout << for_standard_output(result.text) << '\n';
  } else {
    std::cout << fmt::format("{}\n", fmt::join(result.ids, ","));
  }
  if (!std::cout.flush()) throw Error(ErrorKind::kIo, "standard output: writing failed");
}

void check_options(const GenerateOptions& options) {
  if (options.chat && (options.ids || options.ids_file)) {
    throw Error(ErrorKind::kInvalidArgument, "--chat goes with --prompt or --prompt-file");
  }
  if (options.request.hidden_states && options.logits_file.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "--hidden-states goes with --logits OUT.safetensors");
  }
}

void generate(GenerateOptions options) {
  check_options(options);
  const std::filesystem::path folder = model_path(options.model);
  engine::Request& request = options.request;
  request.ids = prompt_ids(options, folder);
  request.all_logits = !options.logits_file.empty();
  engine::GeneratorOptions wanted;
  wanted.model = folder;
  wanted.router = options.router;
  wanted.device = options.device;
  wanted.dtype = options.dtype;
  const std::unique_ptr<engine::Generator> generator = engine::make_generator(wanted);
  generator->set_mode(options.mode);
  const engine::Result result = generator->generate(request);
  if (!options.logits_file.empty()) engine::write_tensors(options.logits_file, result.tensors);
  if (!options.trace_file.empty()) {
    write_file_atomic(options.trace_file, dump_pretty(engine::trace_json(result.trace)));
  }
  print_result(options, result, request.ids.size(), generator->model().has_tokenizer);
}

void add_prompt_flags(CLI::App& sub, GenerateOptions& options) {
  sub.add_option("-m,--model", options.model, kModelHelp)->required();
  sub.add_option("--router", options.router, kRouterHelp);
  sub.add_option("--prompt", options.prompt, "Prompt text, taken as given");
  sub.add_option("--prompt-file", options.prompt_file, "File with the prompt; - is standard input")
      ->check(input_file());
  sub.add_option("--ids", options.ids, "Prompt as token ids: 1,2,3");
  sub.add_option("--ids-file", options.ids_file, "File with token ids, by commas or white space")
      ->check(input_file());
  sub.add_flag("--chat", options.chat,
               "The prompt is a user's message in the checkpoint's chat template");
}

void add_sampling_flags(CLI::App& sub, engine::Request& request) {
  sub.add_option("--max-new-tokens", request.max_new_tokens, "Longest answer in tokens")
      ->transform(token_count(0))
      ->capture_default_str();
  sub.add_flag("--ignore-eos", request.ignore_eos, "Go on after an end token");
  sub.add_option("--seed", request.sampling.seed, "Seed of sampling")
      ->transform(whole_number(0, kMostSeed))
      ->capture_default_str();
  sub.add_option("--temperature", request.sampling.temperature, "0 = greedy")
      ->transform(real_number(0, 1e6))
      ->capture_default_str();
  sub.add_option("--top-p", request.sampling.top_p, "Probability mass to draw from")
      ->transform(real_number(0, 1))
      ->capture_default_str();
  sub.add_option("--top-k", request.sampling.top_k, "Most likely tokens to draw from; 0 = all")
      ->transform(whole_number(0, kMostTokens))
      ->capture_default_str();
  sub.add_option("--stop", request.stop, "End where this text appears; may be given several times")
      ->allow_extra_args(false);
}

}  // namespace

void add_generate(CLI::App& sub, int&) {
  const auto options = std::make_shared<GenerateOptions>();
  add_prompt_flags(sub, *options);
  sub.add_option("--mode,--modes", options->mode,
                 "fa, ssa, fa-ssa, ... with options name:key=value,...")
      ->capture_default_str();
  sub.add_option("--device", options->device, "auto, cpu or cuda")->capture_default_str();
  sub.add_option("--dtype", options->dtype, "auto, fp32 or bf16")->capture_default_str();
  add_sampling_flags(sub, options->request);
  sub.add_flag("--json", options->json, "One JSON object instead of the text");
  sub.add_option("--logits", options->logits_file, "Write the prompt's logits (safetensors, fp32)");
  sub.add_flag("--hidden-states", options->request.hidden_states,
               "With --logits: also hidden.{layer}");
  sub.add_option("--trace", options->trace_file, "Write router logits and decisions (JSON)");
  sub.callback([options] { generate(*options); });
}

}  // namespace elastic::harness
