#include "harness/bench/model_bench.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/api/mode_list.h"
#include "harness/commands/flag_values.h"
#include "harness/run/model_path.h"

namespace elastic::harness {
namespace {

constexpr int kMostLayers = 1024;

}  // namespace

void add_model_bench_flags(CLI::App& sub, ModelBenchOptions& options) {
  CLI::Option* model = sub.add_option("-m,--model", options.model, kModelHelp);
  sub.add_option("--router", options.router, kRouterHelp)->needs(model);
  sub.add_option("--shape", options.shape, "llama-3.1-8b, qwen3-4b, ... instead of a checkpoint")
      ->excludes(model);
  sub.add_flag("--random-weights", options.random_weights, "Random weights of that shape");
  sub.add_option(
         "--layers", options.layers,
         "So many layers of that shape alone: times of a layer, for slow modes and long prompts")
      ->transform(whole_number(1, kMostLayers))
      ->excludes(model);
  sub.add_option("--lengths,--length", options.lengths, "Prompt tokens")->capture_default_str();
  sub.add_option("--modes,--mode", options.modes,
                 "Modes (default: fa, ssa and, where there are routers, routed)");
  sub.add_option("--device", options.device, "cpu, cuda or auto")->capture_default_str();
  sub.add_option("--dtype", options.dtype, "fp32, bf16 or auto")->capture_default_str();
  add_repetition_flags(sub, "Timed runs of each mode", options.flags);
  add_format_flag(sub, options.flags);
}

std::unique_ptr<engine::Generator> open_engine(const ModelBenchOptions& options) {
  engine::GeneratorOptions wanted;
  wanted.device = options.device;
  wanted.dtype = options.dtype;
  if (options.shape.empty() != options.random_weights) {
    wanted.random_shape = options.shape;
    wanted.random_layers = options.layers;
    if (options.random_weights) return engine::make_generator(wanted);
    wanted.model = model_path(options.model);
    wanted.router = options.router;
    return engine::make_generator(wanted);
  }
  throw Error(ErrorKind::kInvalidArgument, "--shape NAME and --random-weights go together");
}

std::vector<std::string> bench_modes(const ModelBenchOptions& options, bool has_router) {
  std::vector<std::string> modes = engine::split_modes(options.modes);
  if (modes.empty()) {
    modes = {std::string(engine::kDenseMode), "ssa"};
    if (has_router) modes.emplace_back("routed");
  }
  if (std::find(modes.begin(), modes.end(), engine::kDenseMode) == modes.end()) {
    modes.insert(modes.begin(), std::string(engine::kDenseMode));
  }
  return modes;
}

std::vector<std::int64_t> bench_lengths(const ModelBenchOptions& options) {
  std::vector<std::int64_t> lengths;
  for (const std::string& length : split_list(options.lengths)) {
    lengths.push_back(parse_length(length));
  }
  if (lengths.empty()) throw Error(ErrorKind::kInvalidArgument, "--lengths names no length");
  return lengths;
}

std::vector<std::int64_t> bench_sizes(std::string_view flag, const std::string& list) {
  constexpr std::int64_t kMost = 4096;
  std::vector<std::int64_t> sizes;
  for (const std::string& item : split_list(list)) {
    const auto size = parse_int(item);
    if (!size || *size < 1 || *size > kMost) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{} {}: not whole numbers from 1 to {}", flag, list, kMost));
    }
    sizes.push_back(*size);
  }
  if (sizes.empty()) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format("{} names no size", flag));
  }
  return sizes;
}

std::vector<std::int32_t> prompt_ids(std::int64_t tokens, std::int64_t vocab) {
  std::uint64_t state = 42;
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < tokens; ++i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    ids.push_back(static_cast<std::int32_t>((state >> 33) % static_cast<std::uint64_t>(vocab)));
  }
  return ids;
}

void take_turns(const std::string& what, const std::vector<std::string>& modes,
                const BenchFlags& flags,
                const std::function<double(std::size_t mode, bool keep)>& run) {
  const auto told = [&](std::size_t i, int turn) {
    const Stopwatch watch;
    const double time = run(i, turn > 0);
    log_info(fmt::format("{}, {}, {}: {:.0f} ms", what, modes[i],
                         turn > 0 ? fmt::format("run {}", turn) : "warm-up", watch.milliseconds()));
    return time;
  };
  for (std::size_t i = 0; i < modes.size(); ++i) told(i, 0);
  std::vector<int> turns(modes.size());
  engine::take_turns(modes.size(), enough_turns(flags),
                     [&](std::size_t i) { return told(i, ++turns[i]); });
}

Json result_header(const engine::Generator& engine, const BenchFlags& flags) {
  Json result = {
      {"model", engine.model().name}, {"device", engine.device()},
      {"dtype", engine.dtype()},      {"model_n_params", engine.model().parameters},
      {"test_time", utc_now()},       {"clock", "monotonic wall clock between synchronised ends"},
      {"rows", Json::array()}};
  add_repetitions(result, flags);
  return result;
}

std::string header_line(const Json& result) {
  return fmt::format("{} on {}, {}; {}, modes in turns; {}", result["model"].get<std::string>(),
                     result["device"].get<std::string>(), result["dtype"].get<std::string>(),
                     repetitions_text(result), result["clock"].get<std::string>());
}

}  // namespace elastic::harness
