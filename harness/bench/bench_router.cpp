// `bench router`: the head routers of all layers alone, by the device's kernel and composed of
// LibTorch's operations, both in one process.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "engine/api/router_bench.h"
#include "harness/bench/bench_command.h"
#include "harness/bench/repetitions.h"
#include "harness/commands/flag_values.h"
#include "runs/statistics.h"

namespace elastic::harness {
namespace {

struct BenchRouterOptions {
  engine::RouterBenchOptions engine;
  std::string lengths = "512,8191,32k,128k";
  BenchFlags flags;
};

constexpr double kMicroseconds = 1000;  // in a millisecond

Json row_of(const engine::RouterBenchRow& row) {
  const auto layers = static_cast<double>(row.layers);
  const auto [low, high] = std::minmax_element(row.milliseconds.begin(), row.milliseconds.end());
  const double ours = runs::median(row.milliseconds),
               composed = runs::median(row.composed_milliseconds);
  Json out = {{"tokens", row.tokens},
              {"us_per_layer", kMicroseconds * ours / layers},
              {"us_per_layer_min", kMicroseconds * *low / layers},
              {"us_per_layer_max", kMicroseconds * *high / layers},
              {"composed_us_per_layer", kMicroseconds * composed / layers},
              {"speedup_vs_composed", composed / ours},
              {"decisions", row.decisions},
              {"unlike_decisions", row.unlike},
              {"max_logit_error", row.max_error}};
  add_samples(out, row.milliseconds, static_cast<double>(row.tokens));
  return out;
}

void print_markdown(const Json& result) {
  fmt::print(
      "routers of {}: {} layers, {} KV heads of {}, expansion {}, {} on {}; {}, "
      "both ways in turns\n\n",
      result["shape"].get<std::string>(), result["layers"].get<int>(),
      result["heads_kv"].get<int>(), result["head_dim"].get<int>(), result["expansion"].get<int>(),
      result["dtype"].get<std::string>(), result["device"].get<std::string>(),
      repetitions_text(result));
  fmt::print(
      "| tokens | us a layer, median | 95 % | n | min | max | composed | x composed "
      "| unlike decisions | max logit error |\n|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Json& row : result["rows"]) {
    const auto number = [&row](const char* key) { return row[key].get<double>(); };
    fmt::print(
        "| {} | {:.1f} | {} | {} | {:.1f} | {:.1f} | {:.1f} | {:.2f} | {} of {} | {:.1e} |\n",
        row["tokens"].get<std::int64_t>(), number("us_per_layer"),
        interval_text(row, "ms", 1, kMicroseconds / result["layers"].get<double>()),
        row["repetitions"].get<int>(), number("us_per_layer_min"), number("us_per_layer_max"),
        number("composed_us_per_layer"), number("speedup_vs_composed"),
        row["unlike_decisions"].get<std::int64_t>(), row["decisions"].get<std::int64_t>(),
        number("max_logit_error"));
  }
}

void print_rows(const Json& result) {
  print_csv(result, {"shape", "device", "dtype", "layers", "heads_kv", "head_dim", "expansion"});
}

int bench_router(BenchRouterOptions options) {
  for (const std::string& length : split_list(options.lengths)) {
    options.engine.lengths.push_back(parse_length(length));
  }
  options.engine.enough = enough_turns(options.flags);
  engine::GpuWatch watch(options.engine.device);
  const std::vector<engine::RouterBenchRow> rows = engine::bench_router(options.engine);
  if (rows.empty()) throw Error(ErrorKind::kInvalidArgument, "--lengths names no length");
  const engine::RouterBenchRow& first = rows.front();
  Json result = {{"shape", options.engine.shape},
                 {"device", first.device},
                 {"dtype", first.dtype},
                 {"layers", first.layers},
                 {"heads_kv", first.heads_kv},
                 {"head_dim", first.head_dim},
                 {"expansion", first.expansion},
                 {"clock", "monotonic wall clock between synchronised ends, all layers in between"},
                 {"rows", Json::array()}};
  add_repetitions(result, options.flags);
  Faults faults;
  for (const engine::RouterBenchRow& row : rows) {
    result["rows"].push_back(row_of(row));
    const std::string what = fmt::format("{} tokens", row.tokens);
    check_interval(options.flags, what, row.milliseconds, result, faults);
    check_interval(options.flags, what + ", composed", row.composed_milliseconds, result, faults);
  }
  note_gpu(watch, result, faults);
  return print_result("router", std::move(result), faults, options.flags, print_rows,
                      print_markdown);
}

}  // namespace

void add_bench_router(CLI::App& bench, int& exit_code) {
  const auto options = std::make_shared<BenchRouterOptions>();
  engine::RouterBenchOptions& engine = options->engine;
  CLI::App& sub = *bench.add_subcommand("router", "The head routers of all layers alone");
  sub.add_option("--shape", engine.shape, "Layers and heads of a known model")
      ->capture_default_str();
  sub.add_option("--expansion", engine.expansion, "Hidden width of both MLPs over head_dim")
      ->transform(whole_number(1, 64))
      ->capture_default_str();
  sub.add_option("--lengths,--length", options->lengths, "Prompt tokens")->capture_default_str();
  sub.add_option("--device", engine.device, "cpu, cuda or auto")->capture_default_str();
  sub.add_option("--dtype", engine.dtype, "fp32, bf16 or auto")->capture_default_str();
  add_repetition_flags(sub, "Timed runs of each length", options->flags);
  add_format_flag(sub, options->flags);
  sub.callback([options, &exit_code] { exit_code = bench_router(*options); });
}

}  // namespace elastic::harness
