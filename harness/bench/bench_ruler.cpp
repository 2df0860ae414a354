// `bench ruler`: seconds that RULER's data take, one thread, nothing cached. The Python generator's
// figures come from tests/bench/ruler_peer.py, which runs both in turns.

#include <ctime>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "datasets/folders.h"
#include "engine/api/tokenizer.h"
#include "harness/bench/bench_command.h"
#include "harness/commands/flag_values.h"
#include "harness/run/model_path.h"
#include "tasks/registry.h"
#include "tasks/ruler/generate.h"

namespace elastic::harness {
namespace {

struct BenchRulerOptions {
  std::string model;
  std::string tasks = "ruler";
  std::string lengths = "32k";
  std::int64_t num_samples = 50;
  std::string profile = "ruler@gen-b";
  std::string data_dir;
  int repetitions = 1;
  BenchFlags flags;
};

struct Row {
  std::string task;
  std::int64_t length = 0;
  double seconds = 0, cpu_seconds = 0;  // of the fastest repetition
  std::size_t bytes = 0;                // of the lines made
  std::size_t searches = 0;             // trials of the length search
};

double cpu_clock() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Sources are loaded anew each time: their reading is part of the work.
Row measure(const BenchRulerOptions& options, const tasks::GenerateRequest& request) {
  Row row{.task = request.task, .length = request.length};
  for (int i = 0; i < options.repetitions; ++i) {
    const Stopwatch watch;
    const double cpu = cpu_clock();
    const auto profile =
        tasks::make_ruler_profile(options.profile, datasets::data_folder(options.data_dir), "");
    const tasks::GeneratedSet set = tasks::generate_ruler(request, *profile);
    const double seconds = watch.seconds(), cpu_seconds = cpu_clock() - cpu;
    if (i > 0 && seconds >= row.seconds) continue;
    row.seconds = seconds;
    row.cpu_seconds = cpu_seconds;
    row.searches = set.trace.probes.size();
    row.bytes = 0;
    for (const std::string& line : set.lines) row.bytes += line.size();
  }
  return row;
}

Json to_json(const Row& row) {
  return {{"task", row.task},       {"length", row.length},
          {"seconds", row.seconds}, {"cpu_seconds", row.cpu_seconds},
          {"bytes", row.bytes},     {"searches", row.searches}};
}

void print_text(const std::vector<Row>& rows, bool csv) {
  fmt::print("{}",
             csv ? "task,length,seconds,cpu_seconds,bytes,searches\n"
                 : "| task | length | s | CPU s | MB | trials |\n|---|---|---|---|---|---|\n");
  double total = 0;
  for (const Row& row : rows) {
    total += row.cpu_seconds;
    if (csv) {
      fmt::print("{},{},{:.4f},{:.4f},{},{}\n", row.task, row.length, row.seconds, row.cpu_seconds,
                 row.bytes, row.searches);
    } else {
      fmt::print("| {} | {} | {:.3f} | {:.3f} | {:.1f} | {} |\n", row.task,
                 format_length(row.length), row.seconds, row.cpu_seconds,
                 static_cast<double>(row.bytes) * 1e-6, row.searches);
    }
  }
  if (!csv) fmt::print("| all | | | {:.3f} | | |\n", total);
}

void bench_ruler(const BenchRulerOptions& options) {
  const engine::Tokenizer tokenizer = engine::Tokenizer::load(tokenizer_path(options.model));
  std::vector<Row> rows;
  for (const std::string& name : tasks::resolve_tasks(options.tasks)) {
    for (const std::string& length : split_list(options.lengths)) {
      rows.push_back(measure(options, {.task = name.substr(name.find('/') + 1),
                                       .length = parse_length(length),
                                       .count = options.num_samples,
                                       .counter = tasks::model_counter(tokenizer)}));
    }
  }
  if (options.flags.format == "json") {
    Json out = {{"profile", options.profile},
                {"num_samples", options.num_samples},
                {"tokenizer_sha256", tokenizer.sha256()},
                {"threads", 1},
                {"clock", "process CPU time, fastest of the repetitions"},
                {"repetitions", options.repetitions},
                {"rows", Json::array()}};
    for (const Row& row : rows) out["rows"].push_back(to_json(row));
    std::cout << dump_pretty(out);
    return;
  }
  print_text(rows, options.flags.format == "csv");
}

}  // namespace

void add_bench_ruler(CLI::App& bench, int&) {
  const auto options = std::make_shared<BenchRulerOptions>();
  CLI::App* sub = bench.add_subcommand("ruler", "Making RULER's data: seconds per task");
  sub->add_option("-m,--model", options->model, kModelHelp)->required();
  sub->add_option("-t,--tasks,--task", options->tasks, "Tasks of RULER");
  sub->add_option("--lengths,--length", options->lengths, "Comma-separated token counts");
  sub->add_option("--num-samples", options->num_samples, "Samples per task and length")
      ->transform(whole_number(1, kMostSamples));
  sub->add_option("--profile", options->profile, "ruler@gen-a, ruler@gen-b or ruler@builtin");
  sub->add_option("--data-dir", options->data_dir, "Folder of the sources");
  sub->add_option("-r,--repetitions", options->repetitions, "The fastest counts")
      ->transform(whole_number(1, kMostRepetitions));
  add_format_flag(*sub, options->flags);
  sub->callback([options] { bench_ruler(*options); });
}

}  // namespace elastic::harness
