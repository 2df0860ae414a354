// `bench decode`: time of a token behind prompts of some length, mode beside mode and batch beside
// batch. The tokens of a batch are made in one step; fa is the dense baseline of the same run.

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
#include "harness/commands/flag_values.h"
#include "runs/statistics.h"

namespace elastic::harness {
namespace {

struct BenchDecodeOptions {
  ModelBenchOptions model;
  std::string batches = "1";
  std::int64_t new_tokens = 64;
};

struct Cell {
  std::string mode;  // with every option that changes results
  std::int64_t tokens = 0, batch = 0;
  std::vector<double> step_ms;  // of each run: mean over its tokens
  double msr = 0;               // of the last run
  std::int64_t kv_bytes = 0, kv_bytes_full = 0, peak_bytes = 0;
};

// Milliseconds of a step.
double run_once(engine::Generator& engine, const std::string& mode, std::int64_t new_tokens,
                Cell& cell, bool keep) {
  engine.set_mode(mode);
  cell.mode = engine.mode();
  const engine::Request request{.ids = prompt_ids(cell.tokens, engine.model().vocab),
                                .max_new_tokens = new_tokens,
                                .ignore_eos = true};
  const std::vector<engine::Request> batch(static_cast<std::size_t>(cell.batch), request);
  const std::vector<engine::Result> results = engine.generate(batch);
  const engine::Result& last = results.back();
  cell.msr = last.trace.msr;
  cell.kv_bytes = last.kv_bytes;
  cell.kv_bytes_full = last.kv_bytes_full;
  cell.peak_bytes = std::max(cell.peak_bytes, last.peak_bytes);
  // The first token is the prefill's.
  const double step_ms = last.timing.decode_ms / static_cast<double>(new_tokens - 1);
  if (keep) cell.step_ms.push_back(step_ms);
  return step_ms;
}

Json row_of(const Cell& cell, const Cell& dense, std::int64_t new_tokens) {
  const auto [low, high] = std::minmax_element(cell.step_ms.begin(), cell.step_ms.end());
  const double step = runs::median(cell.step_ms);
  Json row = {
      {"mode", cell.mode},
      {"prompt_tokens", cell.tokens},
      {"batch", cell.batch},
      {"n_prompt", 0},
      {"n_gen", new_tokens},
      {"n_depth", cell.tokens},
      {"step_ms", step},
      {"step_ms_min", *low},
      {"step_ms_max", *high},
      {"tokens_per_second", 1000 * static_cast<double>(cell.batch) / step},
      {"msr", cell.msr},
      {"kv_bytes", cell.kv_bytes},
      {"kv_share", static_cast<double>(cell.kv_bytes) / static_cast<double>(cell.kv_bytes_full)},
      {"speedup_vs_fa", runs::median(dense.step_ms) / step},
      {"peak_bytes", cell.peak_bytes}};
  add_samples(row, cell.step_ms, static_cast<double>(cell.batch));
  return row;
}

void print_markdown(const Json& result) {
  fmt::print("{}\n\n", header_line(result));
  fmt::print(
      "| tokens | batch | mode | ms a token, median | 95 % | n | min | max | tokens/s | MSR | K/V "
      "| of full | x fa | peak |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Json& row : result["rows"]) {
    const auto number = [&row](const char* key) { return row[key].get<double>(); };
    fmt::print(
        "| {} | {} | {} | {:.3f} | {} | {} | {:.3f} | {:.3f} | {:.1f} | {:.3f} | {} | {:.3f} "
        "| {:.2f} | {} |\n",
        row["prompt_tokens"].get<std::int64_t>(), row["batch"].get<std::int64_t>(),
        row["mode"].get<std::string>(), number("step_ms"), interval_text(row, "ms", 3),
        row["repetitions"].get<int>(), number("step_ms_min"), number("step_ms_max"),
        number("tokens_per_second"), number("msr"),
        format_bytes(row["kv_bytes"].get<std::int64_t>()), number("kv_share"),
        number("speedup_vs_fa"), format_bytes(row["peak_bytes"].get<std::int64_t>()));
  }
}

void print_rows(const Json& result) { print_csv(result, {"model", "device", "dtype"}); }

int bench_decode(const BenchDecodeOptions& options) {
  const ModelBenchOptions& shared = options.model;
  const std::vector<std::int64_t> lengths = bench_lengths(shared);
  const std::vector<std::int64_t> batches = bench_sizes("--batch", options.batches);
  const std::unique_ptr<engine::Generator> engine = open_engine(shared);
  engine::GpuWatch watch(shared.device);
  const std::vector<std::string> modes = bench_modes(shared, engine->model().has_router);
  const std::size_t dense = static_cast<std::size_t>(
      std::find(modes.begin(), modes.end(), engine::kDenseMode) - modes.begin());
  Faults faults =
      engine::fallbacks(shared.device, engine->device(), engine->dtype(), engine->model().head_dim);
  Json result = result_header(*engine, shared.flags);
  for (const std::int64_t length : lengths) {
    for (const std::int64_t batch : batches) {
      std::vector<Cell> cells(modes.size(), Cell{.tokens = length, .batch = batch});
      take_turns(fmt::format("{} tokens, batch {}", length, batch), modes, shared.flags,
                 [&](std::size_t i, bool keep) {
                   return run_once(*engine, modes[i], options.new_tokens, cells[i], keep);
                 });
      for (const Cell& cell : cells) {
        result["rows"].push_back(row_of(cell, cells[dense], options.new_tokens));
        check_interval(shared.flags,
                       fmt::format("{} tokens, batch {}, {}", length, batch, cell.mode),
                       cell.step_ms, result, faults);
      }
    }
  }
  note_gpu(watch, result, faults);
  return print_result("decode", std::move(result), faults, shared.flags, print_rows,
                      print_markdown);
}

}  // namespace

void add_bench_decode(CLI::App& bench, int& exit_code) {
  const auto options = std::make_shared<BenchDecodeOptions>();
  options->model.lengths = "4k,16k";
  CLI::App& sub = *bench.add_subcommand("decode", "Time of a token behind a prompt, mode by mode");
  add_model_bench_flags(sub, options->model);
  sub.add_option("--batch", options->batches, "Sequences at once, e.g. 1,8")->capture_default_str();
  sub.add_option("--max-new-tokens", options->new_tokens, "Tokens of an answer")
      ->transform(whole_number(2, 1 << 20))
      ->capture_default_str();
  sub.callback([options, &exit_code] { exit_code = bench_decode(*options); });
}

}  // namespace elastic::harness
