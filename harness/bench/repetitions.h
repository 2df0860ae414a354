#pragma once

// How often `bench` takes a time, and what its times say: medians with their intervals, quantiles,
// raw samples (docs/measurement.md).

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "engine/api/turns.h"
#include "harness/bench/bench_command.h"

namespace elastic::harness {

/// `-r`: a number, or auto (the default), until medians are known; and `--max-interval`. `what`
/// begins the help.
void add_repetition_flags(CLI::App& sub, std::string_view what, BenchFlags& flags);

/// `--max-interval` alone, where the number of repetitions is fixed.
void add_interval_flag(CLI::App& sub, BenchFlags& flags);

/// The rule of the flags.
engine::Enough enough_turns(const BenchFlags& flags);

/// Into a result: `repetitions` (null: as many as it takes), `warm_up`, and what is wanted of a
/// median, in per cent (`median_within`; null: nothing).
void add_repetitions(Json& result, const BenchFlags& flags);

/// The same in words: "5 repetitions after 1 warm-up".
std::string repetitions_text(const Json& result);

/// A fault where the median of `times` is less sure than --max-interval asks; a note in
/// result["notes"] where repetitions ended at their cap instead. `what` names it.
void check_interval(const BenchFlags& flags, std::string_view what,
                    const std::vector<double>& times, Json& result, Faults& faults);

/// Adds to a row `repetitions` and the ends of the median's 95 % interval, UNIT_ci_low and
/// UNIT_ci_high; null where there is none.
void add_interval(Json& row, std::string_view unit, const std::vector<double>& times);

/// "12.31 to 12.52", the ends times `scale`; "-" where there are none.
std::string interval_text(const Json& row, std::string_view unit, int decimals, double scale = 1);

/// Adds to a row its interval in ms and the raw times of its repetitions, each of `tokens` tokens,
/// their quantiles, and mean and deviation under llama-bench's names: avg_ns, stddev_ns, avg_ts
/// (tokens a second), stddev_ts, samples_ns, samples_ts.
void add_samples(Json& row, const std::vector<double>& milliseconds, double tokens);

}  // namespace elastic::harness
