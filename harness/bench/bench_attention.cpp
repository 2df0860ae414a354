// `bench attention`: one layer's attention alone over shares of sparse heads (MSR), each result
// checked against the reference before it is timed;
// the dense one (MSR 0) is always in the same run.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/api/attention_bench.h"
#include "engine/api/make_generator.h"
#include "harness/bench/bench_command.h"
#include "harness/bench/repetitions.h"
#include "harness/commands/flag_values.h"
#include "runs/statistics.h"

namespace elastic::harness {
namespace {

struct BenchAttentionOptions {
  engine::AttentionBenchOptions engine;
  std::string lengths = "4k,16k";
  std::string msr = "0,0.5,1";
  BenchFlags flags;
};

std::vector<double> parse_shares(const std::string& text) {
  std::vector<double> shares;
  for (const std::string& part : split_list(text)) {
    const std::optional<double> share = parse_share(part);
    if (!share) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("--msr {}: `{}` is not a number from 0 to 1", text, part));
    }
    shares.push_back(*share);
  }
  if (std::find(shares.begin(), shares.end(), 0.0) == shares.end())
    shares.insert(shares.begin(), 0);
  return shares;
}

Json row_of(const engine::AttentionBenchRow& row, const engine::AttentionBenchRow& dense) {
  const auto [low, high] = std::minmax_element(row.milliseconds.begin(), row.milliseconds.end());
  const double middle = runs::median(row.milliseconds), baseline = runs::median(dense.milliseconds);
  // The same work at the dense rate, by visited blocks.
  const double ideal = baseline * row.visited_blocks;
  Json out = {{"mode", row.mode},
              {"tokens", row.tokens},
              {"msr", row.msr},
              {"visited_blocks", row.visited_blocks},
              {"ms", middle},
              {"ms_min", *low},
              {"ms_max", *high},
              {"select_ms", runs::median(row.select_milliseconds)},
              {"gflop_per_s", row.visible_flop / middle / 1e6},
              {"speedup_vs_dense", baseline / middle},
              {"time_over_ideal", middle / ideal},
              {"max_error", row.max_error}};
  if (!row.serial_milliseconds.empty()) {
    out["serial_ms"] = runs::median(row.serial_milliseconds);
    out["speedup_vs_serial"] = runs::median(row.serial_milliseconds) / middle;
  }
  add_samples(out, row.milliseconds, static_cast<double>(row.tokens));
  return out;
}

void print_markdown(const Json& result) {
  fmt::print("{}/{} heads of {}, {} on {}; {}, shares in turns\n\n", result["heads_q"].get<int>(),
             result["heads_kv"].get<int>(), result["head_dim"].get<int>(),
             result["dtype"].get<std::string>(), result["device"].get<std::string>(),
             repetitions_text(result));
  const bool serial = result["rows"].front().contains("serial_ms");
  fmt::print(
      "| tokens | MSR | visited blocks | ms, median | 95 % | n | min | max | selection, ms "
      "| GFLOP/s | x dense | time / (visited x dense) | max error |{}\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|{}\n",
      serial ? " serial, ms | x serial |" : "", serial ? "---|---|" : "");
  for (const Json& row : result["rows"]) {
    const auto number = [&row](const char* key) { return row[key].get<double>(); };
    fmt::print(
        "| {} | {:.3f} | {:.3f} | {:.2f} | {} | {} | {:.2f} | {:.2f} | {:.2f} | {:.1f} | {:.2f} "
        "| {:.2f} | {:.1e} |{}\n",
        row["tokens"].get<std::int64_t>(), number("msr"), number("visited_blocks"), number("ms"),
        interval_text(row, "ms", 2), row["repetitions"].get<int>(), number("ms_min"),
        number("ms_max"), number("select_ms"), number("gflop_per_s"), number("speedup_vs_dense"),
        number("time_over_ideal"), number("max_error"),
        serial ? fmt::format(" {:.2f} | {:.2f} |", number("serial_ms"), number("speedup_vs_serial"))
               : "");
  }
}

void print_rows(const Json& result) {
  print_csv(result, {"device", "dtype", "heads_q", "heads_kv", "head_dim"});
}

int bench_attention_command(BenchAttentionOptions options) {
  for (const std::string& length : split_list(options.lengths)) {
    options.engine.lengths.push_back(parse_length(length));
  }
  options.engine.msr = parse_shares(options.msr);
  options.engine.enough = enough_turns(options.flags);
  engine::GpuWatch watch(options.engine.device);
  const std::vector<engine::AttentionBenchRow> rows = engine::bench_attention(options.engine);
  if (rows.empty()) throw Error(ErrorKind::kInvalidArgument, "--lengths names no length");
  const engine::AttentionBenchRow& first = rows.front();
  Faults faults =
      engine::fallbacks(options.engine.device, first.device, first.dtype, first.head_dim);
  Json result = {
      {"device", first.device},     {"dtype", first.dtype},
      {"heads_q", first.heads_q},   {"heads_kv", first.heads_kv},
      {"head_dim", first.head_dim}, {"clock", "monotonic wall clock between synchronised ends"},
      {"rows", Json::array()}};
  add_repetitions(result, options.flags);
  for (const engine::AttentionBenchRow& row : rows) {
    const auto dense = std::find_if(rows.begin(), rows.end(), [&](const auto& other) {
      return other.tokens == row.tokens && other.msr == 0;
    });
    result["rows"].push_back(row_of(row, *dense));
    check_interval(options.flags, fmt::format("{} tokens, MSR {:.3f}", row.tokens, row.msr),
                   row.milliseconds, result, faults);
  }
  note_gpu(watch, result, faults);
  return print_result("attention", std::move(result), faults, options.flags, print_rows,
                      print_markdown);
}

}  // namespace

void add_bench_attention(CLI::App& bench, int& exit_code) {
  const auto options = std::make_shared<BenchAttentionOptions>();
  engine::AttentionBenchOptions& engine = options->engine;
  CLI::App& sub =
      *bench.add_subcommand("attention", "One layer's attention over shares of sparse heads");
  sub.add_option("--mode,--modes", engine.mode, "Two modes, with options")->capture_default_str();
  sub.add_option("--shape", engine.shape, "Heads of a known model: llama-3.1-8b, qwen3-4b, ...");
  for (auto& [flag, value, summary] :
       {std::tuple("--heads", &engine.heads_q, "Query heads"),
        std::tuple("--kv-heads", &engine.heads_kv, "KV heads"),
        std::tuple("--head-dim", &engine.head_dim, "Head dimension")}) {
    sub.add_option(flag, *value, summary)->transform(whole_number(1, 4096))->capture_default_str();
  }
  sub.add_option("--lengths,--length", options->lengths, "Prompt tokens")->capture_default_str();
  sub.add_option("--msr", options->msr, "Shares of KV heads in the sparse mode")
      ->capture_default_str();
  sub.add_flag("--serial", engine.serial,
               "Beside one call for all heads, heads gathered by kind, one call after the other");
  sub.add_option("--device", engine.device, "cpu, cuda or auto")->capture_default_str();
  sub.add_option("--dtype", engine.dtype, "fp32, bf16 or auto")->capture_default_str();
  add_repetition_flags(sub, "Timed runs of each share", options->flags);
  add_format_flag(sub, options->flags);
  sub.callback([options, &exit_code] { exit_code = bench_attention_command(*options); });
}

}  // namespace elastic::harness
