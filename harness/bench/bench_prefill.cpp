// `bench prefill`: time of the whole prompt through a model, mode beside mode. Modes take turns
// inside each repetition, so that a busy machine slows all of them alike; fa is always among them
// as the dense baseline of the same run.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "engine/api/mode_list.h"
#include "harness/bench/model_bench.h"
#include "harness/bench/prefill_times.h"
#include "runs/statistics.h"

namespace elastic::harness {
namespace {

std::vector<PrefillTimes> measure_length(engine::Generator& engine,
                                         const std::vector<std::string>& modes, std::int64_t tokens,
                                         const BenchFlags& flags) {
  std::vector<PrefillTimes> cells(modes.size());
  for (PrefillTimes& cell : cells) cell.tokens = tokens;
  take_turns(fmt::format("{} tokens", tokens), modes, flags, [&](std::size_t i, bool keep) {
    return run_prefill(engine, modes[i], cells[i], keep);
  });
  return cells;
}

Json row_of(const PrefillTimes& cell, const PrefillTimes& dense) {
  const std::vector<double> prefill = part_of(cell, &PrefillSplit::prefill);
  const std::vector<double> baseline = part_of(dense, &PrefillSplit::prefill);
  const auto [low, high] = std::minmax_element(prefill.begin(), prefill.end());
  const double total = runs::median(prefill),
               router = runs::median(part_of(cell, &PrefillSplit::router)),
               select = runs::median(part_of(cell, &PrefillSplit::select)),
               attention = runs::median(part_of(cell, &PrefillSplit::attention));
  Json row = {{"mode", cell.mode},
              {"prompt_tokens", cell.tokens},
              {"n_prompt", cell.tokens},
              {"n_gen", 0},
              {"n_depth", 0},
              {"prefill_ms", total},
              {"prefill_ms_min", *low},
              {"prefill_ms_max", *high},
              {"router_ms", router},
              {"select_ms", select},
              {"attention_ms", attention},
              {"rest_ms", total - router - select - attention},
              {"msr", cell.trace.msr},
              {"visited_blocks", cell.trace.block_density},
              {"speedup_vs_fa", runs::median(baseline) / total},
              {"speedup_vs_fa_min", *std::min_element(baseline.begin(), baseline.end()) / *low},
              {"attention_speedup_vs_fa",
               runs::median(part_of(dense, &PrefillSplit::attention)) / attention},
              {"peak_bytes", cell.peak_bytes}};
  add_samples(row, prefill, static_cast<double>(cell.tokens));
  return row;
}

void print_markdown(const Json& result) {
  fmt::print("{}\n\n", header_line(result));
  fmt::print(
      "| tokens | mode | prefill ms, median | 95 % | n | min | max | router | select | attention "
      "| rest | MSR | visited blocks | x fa | attention x fa | peak |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Json& row : result["rows"]) {
    const auto number = [&row](const char* key) { return row[key].get<double>(); };
    fmt::print(
        "| {} | {} | {:.1f} | {} | {} | {:.1f} | {:.1f} | {:.2f} | {:.2f} | {:.1f} | {:.1f} | "
        "{:.3f} | {:.3f} | {:.2f} | {:.2f} | {} |\n",
        row["prompt_tokens"].get<std::int64_t>(), row["mode"].get<std::string>(),
        number("prefill_ms"), interval_text(row, "ms", 1), row["repetitions"].get<int>(),
        number("prefill_ms_min"), number("prefill_ms_max"), number("router_ms"),
        number("select_ms"), number("attention_ms"), number("rest_ms"), number("msr"),
        number("visited_blocks"), number("speedup_vs_fa"), number("attention_speedup_vs_fa"),
        format_bytes(row["peak_bytes"].get<std::int64_t>()));
  }
}

void print_rows(const Json& result) { print_csv(result, {"model", "device", "dtype"}); }

int bench_prefill(const ModelBenchOptions& options) {
  const std::vector<std::int64_t> lengths = bench_lengths(options);
  const std::unique_ptr<engine::Generator> engine = open_engine(options);
  engine::GpuWatch watch(options.device);
  const std::vector<std::string> modes = bench_modes(options, engine->model().has_router);
  const std::size_t dense = static_cast<std::size_t>(
      std::find(modes.begin(), modes.end(), engine::kDenseMode) - modes.begin());
  Faults faults = engine::fallbacks(options.device, engine->device(), engine->dtype(),
                                    engine->model().head_dim);
  Json result = result_header(*engine, options.flags);
  for (const std::int64_t length : lengths) {
    const std::vector<PrefillTimes> cells = measure_length(*engine, modes, length, options.flags);
    for (const PrefillTimes& cell : cells) {
      result["rows"].push_back(row_of(cell, cells[dense]));
      check_interval(options.flags, fmt::format("{} tokens, {}", cell.tokens, cell.mode),
                     part_of(cell, &PrefillSplit::prefill), result, faults);
    }
  }
  note_gpu(watch, result, faults);
  return print_result("prefill", std::move(result), faults, options.flags, print_rows,
                      print_markdown);
}

}  // namespace

void add_bench_prefill(CLI::App& bench, int& exit_code) {
  const auto options = std::make_shared<ModelBenchOptions>();
  options->lengths = "4k,16k";
  CLI::App& sub = *bench.add_subcommand("prefill", "Time of a whole prompt, mode beside mode");
  add_model_bench_flags(sub, *options);
  sub.callback([options, &exit_code] { exit_code = bench_prefill(*options); });
}

}  // namespace elastic::harness
