#pragma once

// Parts of the `bench` command, one file each: adds a subcommand that measures one thing against
// its peers after checking its result. What they share: output formats, and the verdict whether a
// measurement is what it claims to be (docs/measurement.md).

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "engine/api/gpu_watch.h"

namespace elastic::harness {

void add_bench_attention(CLI::App& bench, int& exit_code);
void add_bench_batch(CLI::App& bench, int& exit_code);
void add_bench_decode(CLI::App& bench, int& exit_code);
void add_bench_prefill(CLI::App& bench, int& exit_code);
void add_bench_tokenizer(CLI::App& bench, int& exit_code);
void add_bench_router(CLI::App& bench, int& exit_code);
void add_bench_ruler(CLI::App& bench, int& exit_code);
void add_bench_training(CLI::App& bench, int& exit_code);

struct BenchFlags {
  std::string format = "md";
  int repetitions = 0;      // 0: until medians are known
  double max_interval = 0;  // per cent of the median; 0: not asked for
};

/// `-o`.
void add_format_flag(CLI::App& sub, BenchFlags& flags);

/// Why a measurement is not valid; nothing: it is.
using Faults = std::vector<std::string>;

/// Ends the watch: what it saw into `result` (gpu_sm_mhz, gpu_watts, gpu_joules, ...), what spoils
/// a measurement into `faults`. Nothing on a CPU.
void note_gpu(engine::GpuWatch& watch, Json& result, Faults& faults);

/// Header and a line for each of result["rows"], the keys `leading` of `result` in front.
void print_csv(const Json& result, const std::vector<std::string>& leading);

/// Adds the verdict to `result`, prints it in the format asked for and says the faults on standard
/// error. `name`: of the measurement, as in the table bench_NAME. Returns the exit code: 7 where
/// there are any.
int print_result(std::string_view name, Json result, const Faults& faults, const BenchFlags& flags,
                 void (*print_csv)(const Json&), void (*print_markdown)(const Json&));

}  // namespace elastic::harness
