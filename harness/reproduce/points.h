#pragma once

// Measurements that take minutes, one after another, each kept as soon as it is made:
// OUTPUT/points/<name>.json holds {"settings", "result"}; a result also says what it was measured
// on ("machine") and what spoilt it ("faults"). The same command goes on where an earlier one
// stopped.
//
//   const Json point = measured_point({output, "fused-16384-0.125", settings}, [&] { ... });

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "harness/reproduce/experiments.h"
#include "runs/statistics.h"

namespace elastic::harness {

inline constexpr const char* kPointNotice =
    "\nstopping after what is being measured; once more to stop now\n";

inline constexpr int kTurns = 3;  // where --repetitions does not say

struct PointPlace {
  std::filesystem::path output;
  std::string name;
  Json settings;  // what else changes the result
};

/// The result kept there, else of measure(). Between two points a noted signal (base/interrupt.h)
/// throws Interrupted. Throws kInvalidArgument where the one that is there was measured with other
/// settings, kCorrupt where it is none.
Json measured_point(const PointPlace& place, const std::function<Json()>& measure);

/// --lengths, else those of the columns or rows given.
std::vector<std::int64_t> point_lengths(const ReproduceOptions& options,
                                        const std::vector<std::string>& printed);

/// "16K" of 16384, as the paper writes lengths.
std::string paper_length(std::int64_t tokens);

/// --device, cuda where it is left to the program: the paper's times are a GPU's.
std::string point_device(const ReproduceOptions& options);

/// --repetitions, else `usual`.
int point_repetitions(const ReproduceOptions& options, int usual);

/// What points of one experiment share.
Json point_settings(const ReproduceOptions& options, int repetitions);

/// Why a point's times are not of what the paper measured: a CPU, part of a model, a GPU that was
/// held back or shared meanwhile (docs/measurement.md).
std::vector<std::string> point_obstacles(const ReproduceOptions& options, const Json& point);

/// "NVIDIA H100 80GB HBM3": what points were measured on, each once.
std::string machines_of(const std::vector<Json>& points);

/// Median of a / b, turn by turn, with the least and the greatest; under six turns no interval of
/// the median can be had.
runs::Estimate ratio_of_turns(const std::vector<double>& a, const std::vector<double>& b);

/// The same of times alone, each multiplied by `scale`.
runs::Estimate median_of_turns(std::vector<double> times, double scale);

}  // namespace elastic::harness
