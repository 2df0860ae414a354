// `bench batch`: a queue of requests of unlike lengths, one at a time and several in flight, as
// `run` keeps them. The answers of both are compared token by token: throughput that changed them
// would be none.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "engine/api/mode_list.h"
#include "harness/bench/model_bench.h"
#include "harness/commands/flag_values.h"
#include "runs/statistics.h"

namespace elastic::harness {
namespace {

struct BenchBatchOptions {
  ModelBenchOptions model;
  std::string in_flight = "8,32";
  std::int64_t requests = 64, new_tokens = 64;
};

using Answers = std::vector<std::vector<std::int32_t>>;

struct Cell {
  std::string mode;  // with every option that changes results
  std::int64_t in_flight = 0;
  std::vector<double> seconds;  // of each run of the whole queue
  std::int64_t together = 0;    // most that took a step together, in the last run
  std::int64_t tokens = 0, peak_bytes = 0;
  Answers answers;  // of the last run
};

// Lengths in turn, each request a token shorter than the one before of its length; answers of the
// budget and of half of it.
std::vector<engine::Request> queue(const BenchBatchOptions& options, std::int64_t vocab) {
  const std::vector<std::int64_t> lengths = bench_lengths(options.model);
  std::vector<engine::Request> requests;
  for (std::int64_t i = 0; i < options.requests; ++i) {
    const std::int64_t round = i / std::ssize(lengths);
    const std::int64_t length = lengths[static_cast<std::size_t>(i % std::ssize(lengths))];
    requests.push_back({.ids = prompt_ids(std::max<std::int64_t>(1, length - round), vocab),
                        .max_new_tokens = i % 2 == 0
                                              ? options.new_tokens
                                              : std::max<std::int64_t>(1, options.new_tokens / 2),
                        .ignore_eos = true});
  }
  return requests;
}

// Seconds of the whole queue.
double run_queue(engine::Generator& engine, const std::vector<engine::Request>& requests,
                 Cell& cell, bool keep) {
  engine.set_mode(cell.mode);
  cell.answers.clear();
  cell.tokens = cell.together = 0;
  const Stopwatch watch;
  std::vector<engine::Result> results = engine.generate(requests, cell.in_flight);
  const double seconds = watch.milliseconds() / 1000;
  for (engine::Result& result : results) {
    cell.tokens += std::ssize(result.ids);
    cell.together = std::max(cell.together, result.batch);
    cell.peak_bytes = std::max(cell.peak_bytes, result.peak_bytes);
    cell.answers.push_back(std::move(result.ids));
  }
  if (keep) cell.seconds.push_back(seconds);
  return seconds;
}

Json row_of(const Cell& cell, const Cell& alone) {
  const auto [low, high] = std::minmax_element(cell.seconds.begin(), cell.seconds.end());
  const double seconds = runs::median(cell.seconds);
  std::int64_t same = 0;
  for (std::size_t i = 0; i < cell.answers.size(); ++i) {
    same += cell.answers[i] == alone.answers[i] ? 1 : 0;
  }
  Json row = {{"mode", cell.mode},
              {"in_flight", cell.in_flight},
              {"together", cell.together},
              {"seconds", seconds},
              {"seconds_min", *low},
              {"seconds_max", *high},
              {"requests_per_second", static_cast<double>(cell.answers.size()) / seconds},
              {"tokens_per_second", static_cast<double>(cell.tokens) / seconds},
              {"speedup_vs_alone", runs::median(alone.seconds) / seconds},
              {"same_answers", same},
              {"requests", cell.answers.size()},
              {"peak_bytes", cell.peak_bytes}};
  add_interval(row, "seconds", cell.seconds);
  return row;
}

void print_markdown(const Json& result) {
  fmt::print("{}\n\n", header_line(result));
  fmt::print(
      "| mode | in flight | together | s, median | 95 % | n | min | max | requests/s | tokens/s "
      "| x alone | same answers | peak |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Json& row : result["rows"]) {
    const auto number = [&row](const char* key) { return row[key].get<double>(); };
    const auto count = [&row](const char* key) { return row[key].get<std::int64_t>(); };
    fmt::print(
        "| {} | {} | {} | {:.3f} | {} | {} | {:.3f} | {:.3f} | {:.2f} | {:.1f} | {:.2f} | {} of {} "
        "| {} |\n",
        row["mode"].get<std::string>(), count("in_flight"), count("together"), number("seconds"),
        interval_text(row, "seconds", 3), count("repetitions"), number("seconds_min"),
        number("seconds_max"), number("requests_per_second"), number("tokens_per_second"),
        number("speedup_vs_alone"), count("same_answers"), count("requests"),
        format_bytes(count("peak_bytes")));
  }
}

void print_rows(const Json& result) { print_csv(result, {"model", "device", "dtype"}); }

// Sizes of one mode take turns; one at a time is the first.
void bench_mode(engine::Generator& engine, const BenchBatchOptions& options,
                const std::vector<std::int64_t>& sizes, const std::string& mode, Json& result,
                Faults& faults) {
  engine.set_mode(mode);
  const std::vector<engine::Request> requests = queue(options, engine.model().vocab);
  std::vector<Cell> cells;
  std::vector<std::string> names;
  for (const std::int64_t size : sizes) {
    Cell& cell = cells.emplace_back();
    cell.mode = engine.mode();
    cell.in_flight = size;
    names.push_back(fmt::format("{} in flight", size));
  }
  take_turns(mode, names, options.model.flags,
             [&](std::size_t i, bool keep) { return run_queue(engine, requests, cells[i], keep); });
  for (const Cell& cell : cells) {
    Json row = row_of(cell, cells.front());
    const std::string what = fmt::format("{}, {} in flight", mode, cell.in_flight);
    if (row["same_answers"] != row["requests"]) {
      faults.push_back(fmt::format("{}: {} of {} answers are those of one at a time", what,
                                   row["same_answers"].get<std::int64_t>(), requests.size()));
    }
    check_interval(options.model.flags, what, cell.seconds, result, faults);
    result["rows"].push_back(std::move(row));
  }
}

int bench_batch(const BenchBatchOptions& options) {
  std::vector<std::int64_t> sizes = bench_sizes("--in-flight", options.in_flight);
  std::erase(sizes, 1);
  sizes.insert(sizes.begin(), 1);
  const ModelBenchOptions& shared = options.model;
  const std::unique_ptr<engine::Generator> engine = open_engine(shared);
  engine::GpuWatch watch(shared.device);
  Faults faults =
      engine::fallbacks(shared.device, engine->device(), engine->dtype(), engine->model().head_dim);
  Json result = result_header(*engine, shared.flags);
  for (const std::string& mode : bench_modes(shared, engine->model().has_router)) {
    bench_mode(*engine, options, sizes, mode, result, faults);
  }
  note_gpu(watch, result, faults);
  return print_result("batch", std::move(result), faults, shared.flags, print_rows, print_markdown);
}

}  // namespace

void add_bench_batch(CLI::App& bench, int& exit_code) {
  const auto options = std::make_shared<BenchBatchOptions>();
  options->model.lengths = "1k,4k";
  CLI::App& sub =
      *bench.add_subcommand("batch", "A queue of requests, one at a time and several in flight");
  add_model_bench_flags(sub, options->model);
  sub.add_option("--in-flight", options->in_flight, "Requests in flight at most, beside 1")
      ->capture_default_str();
  sub.add_option("--requests", options->requests, "Requests in the queue")
      ->transform(whole_number(1, kMostSamples))
      ->capture_default_str();
  sub.add_option("--max-new-tokens", options->new_tokens,
                 "Tokens of an answer; every other one has half of them")
      ->transform(whole_number(1, 1 << 20))
      ->capture_default_str();
  sub.callback([options, &exit_code] { exit_code = bench_batch(*options); });
}

}  // namespace elastic::harness
