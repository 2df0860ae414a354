// `bench prefill`: time of the whole prompt through a model, mode beside mode. Modes take turns
// inside each repetition, so that a busy machine slows all of them alike; fa is always among them
// as the dense baseline of the same run.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/api/make_generator.h"
#include "engine/api/mode_list.h"
#include "harness/bench/bench_command.h"
#include "harness/commands/flag_values.h"
#include "harness/run/model_folder.h"
#include "runs/statistics.h"

namespace elastic::harness {
namespace {

struct BenchPrefillOptions {
  std::string model, shape;
  bool random_weights = false;
  std::string lengths = "4k,16k";
  std::string modes;  // empty: fa, ssa and, where there are routers, routed
  std::string device = "auto", dtype = "auto";
  int repetitions = 5;
  BenchFlags flags;
};

// Milliseconds of one prefill and its parts.
struct Split {
  double prefill = 0, router = 0, select = 0, attention = 0;
};

struct Cell {
  std::string mode;  // with every option that changes results
  std::int64_t tokens = 0;
  std::vector<Split> runs;
  double msr = 0, visited = 1;  // of the last run
  std::int64_t peak_bytes = 0;
};

std::vector<double> column(const Cell& cell, double Split::*part) {
  std::vector<double> values;
  for (const Split& run : cell.runs) values.push_back(run.*part);
  return values;
}

std::unique_ptr<engine::Generator> open_engine(const BenchPrefillOptions& options) {
  engine::GeneratorOptions wanted;
  wanted.device = options.device;
  wanted.dtype = options.dtype;
  if (options.shape.empty() != options.random_weights) {
    wanted.random_shape = options.shape;
    if (options.random_weights) return engine::make_generator(wanted);
    wanted.model = model_folder(options.model);
    return engine::make_generator(wanted);
  }
  throw Error(ErrorKind::kInvalidArgument, "--shape NAME and --random-weights go together");
}

std::vector<std::string> wanted_modes(const BenchPrefillOptions& options, bool has_router) {
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

// Ids that repeat nowhere near, the same for every run: time does not depend on what they say.
std::vector<std::int32_t> prompt_ids(std::int64_t tokens, std::int64_t vocab) {
  std::uint64_t state = 42;
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < tokens; ++i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    ids.push_back(static_cast<std::int32_t>((state >> 33) % static_cast<std::uint64_t>(vocab)));
  }
  return ids;
}

void run_once(engine::Generator& engine, const std::string& mode, Cell& cell, bool keep) {
  engine.set_mode(mode);
  cell.mode = engine.mode();
  const engine::Request request{.ids = prompt_ids(cell.tokens, engine.model().vocab),
                                .max_new_tokens = 1};
  const engine::Result result = engine.generate(request);
  cell.msr = result.trace.msr;
  cell.visited = result.trace.block_density;
  cell.peak_bytes = std::max(cell.peak_bytes, result.peak_bytes);
  const engine::Timing& t = result.timing;
  if (keep) cell.runs.push_back({t.prefill_ms, t.router_ms, t.select_ms, t.attention_ms});
}

std::vector<Cell> measure_length(engine::Generator& engine, const std::vector<std::string>& modes,
                                 std::int64_t tokens, int repetitions) {
  std::vector<Cell> cells(modes.size());
  for (Cell& cell : cells) cell.tokens = tokens;
  for (int turn = 0; turn <= repetitions; ++turn) {  // turn 0 warms up
    for (std::size_t i = 0; i < modes.size(); ++i) {
      const Stopwatch watch;
      run_once(engine, modes[i], cells[i], turn > 0);
      log_info(fmt::format("{} tokens, {}, {}: {:.0f} ms", tokens, modes[i],
                           turn > 0 ? fmt::format("run {} of {}", turn, repetitions) : "warm-up",
                           watch.milliseconds()));
    }
  }
  return cells;
}

Json row_of(const Cell& cell, const Cell& dense) {
  const std::vector<double> prefill = column(cell, &Split::prefill);
  const std::vector<double> baseline = column(dense, &Split::prefill);
  const auto [low, high] = std::minmax_element(prefill.begin(), prefill.end());
  const double total = runs::median(prefill), router = runs::median(column(cell, &Split::router)),
               select = runs::median(column(cell, &Split::select)),
               attention = runs::median(column(cell, &Split::attention));
  return {{"mode", cell.mode},
          {"prompt_tokens", cell.tokens},
          {"prefill_ms", total},
          {"prefill_ms_min", *low},
          {"prefill_ms_max", *high},
          {"router_ms", router},
          {"select_ms", select},
          {"attention_ms", attention},
          {"rest_ms", total - router - select - attention},
          {"msr", cell.msr},
          {"visited_blocks", cell.visited},
          {"speedup_vs_fa", runs::median(baseline) / total},
          {"speedup_vs_fa_min", *std::min_element(baseline.begin(), baseline.end()) / *low},
          {"attention_speedup_vs_fa", runs::median(column(dense, &Split::attention)) / attention},
          {"peak_bytes", cell.peak_bytes}};
}

void print_markdown(const Json& result) {
  fmt::print("{} on {}, {}; {} repetitions after 1 warm-up, modes in turns; {}\n\n",
             result["model"].get<std::string>(), result["device"].get<std::string>(),
             result["dtype"].get<std::string>(), result["repetitions"].get<int>(),
             result["clock"].get<std::string>());
  fmt::print(
      "| tokens | mode | prefill ms, median | min | max | router | select | attention | rest | MSR "
      "| "
      "visited blocks | x fa | attention x fa | peak |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Json& row : result["rows"]) {
    const auto number = [&row](const char* key) { return row[key].get<double>(); };
    fmt::print(
        "| {} | {} | {:.1f} | {:.1f} | {:.1f} | {:.2f} | {:.2f} | {:.1f} | {:.1f} | {:.3f} | "
        "{:.3f} | "
        "{:.2f} | {:.2f} | {} |\n",
        row["prompt_tokens"].get<std::int64_t>(), row["mode"].get<std::string>(),
        number("prefill_ms"), number("prefill_ms_min"), number("prefill_ms_max"),
        number("router_ms"), number("select_ms"), number("attention_ms"), number("rest_ms"),
        number("msr"), number("visited_blocks"), number("speedup_vs_fa"),
        number("attention_speedup_vs_fa"), format_bytes(row["peak_bytes"].get<std::int64_t>()));
  }
}

void print_rows(const Json& result) {
  print_csv(result, {"model", "device", "dtype", "repetitions"});
}

int bench_prefill(const BenchPrefillOptions& options) {
  const std::vector<std::string> lengths = split_list(options.lengths);
  if (lengths.empty()) throw Error(ErrorKind::kInvalidArgument, "--lengths names no length");
  const std::unique_ptr<engine::Generator> engine = open_engine(options);
  const std::vector<std::string> modes = wanted_modes(options, engine->model().has_router);
  const std::size_t dense = static_cast<std::size_t>(
      std::find(modes.begin(), modes.end(), engine::kDenseMode) - modes.begin());
  Faults faults = engine::fallbacks(options.device, engine->device(), engine->dtype(),
                                    engine->model().head_dim);
  Json result = {{"model", engine->model().name},
                 {"device", engine->device()},
                 {"dtype", engine->dtype()},
                 {"repetitions", options.repetitions},
                 {"warm_up", 1},
                 {"clock", "monotonic wall clock between synchronised ends"},
                 {"rows", Json::array()}};
  for (const std::string& length : lengths) {
    const std::vector<Cell> cells =
        measure_length(*engine, modes, parse_length(length), options.repetitions);
    for (const Cell& cell : cells) {
      result["rows"].push_back(row_of(cell, cells[dense]));
      check_interval(options.flags, fmt::format("{} tokens, {}", cell.tokens, cell.mode),
                     column(cell, &Split::prefill), faults);
    }
  }
  return print_result(std::move(result), faults, options.flags, print_rows, print_markdown);
}

}  // namespace

void add_bench_prefill(CLI::App& bench, int& exit_code) {
  const auto options = std::make_shared<BenchPrefillOptions>();
  CLI::App& sub = *bench.add_subcommand("prefill", "Time of a whole prompt, mode beside mode");
  CLI::Option* model = sub.add_option("-m,--model", options->model, kModelHelp);
  sub.add_option("--shape", options->shape, "llama-3.1-8b, qwen3-4b, ... instead of a checkpoint")
      ->excludes(model);
  sub.add_flag("--random-weights", options->random_weights, "Random weights of that shape");
  sub.add_option("--lengths,--length", options->lengths, "Prompt tokens")->capture_default_str();
  sub.add_option("--modes,--mode", options->modes,
                 "Modes (default: fa, ssa and, where there are routers, routed)");
  sub.add_option("--device", options->device, "cpu, cuda or auto")->capture_default_str();
  sub.add_option("--dtype", options->dtype, "fp32, bf16 or auto")->capture_default_str();
  sub.add_option("-r,--repetitions", options->repetitions, "Timed runs of each mode")
      ->transform(whole_number(1, kMostRepetitions))
      ->capture_default_str();
  add_format_flag(sub, options->flags);
  add_interval_flag(sub, options->flags);
  sub.callback([options, &exit_code] { exit_code = bench_prefill(*options); });
}

}  // namespace elastic::harness
