#include <algorithm>
#include <string>
#include <vector>

#include "base/registry.h"
#include "harness/reproduce/experiments.h"

namespace elastic::harness {
namespace {

constexpr Experiment kExperiments[] = {
    {"table1", "LongBench-E by category: score and MSR", "weights, LongBench-E", reproduce_samples,
     ""},
    {"table2", "RULER by length, LongBench-v2 by difficulty", "weights, RULER, LongBench-v2",
     reproduce_samples, ""},
    {"table4", "XA-SSA against dense attention on three benchmarks",
     "weights, LongBench-E, RULER, LongBench-v2", reproduce_samples, ""},
    {"table7", "LongBench-E by set", "weights, LongBench-E", reproduce_samples, ""},
    {"table8", "LongBench-E by category, more methods", "weights, LongBench-E", reproduce_samples,
     ""},
    {"table10", "RULER and LongBench-v2, more methods", "weights, RULER, LongBench-v2",
     reproduce_samples, ""},
    {"fig1", "LongBench-v2 against prefill speed-up", "weights, LongBench-v2", reproduce_samples,
     "one sample at a time, so that times are latencies"},
};

}  // namespace

std::span<const Experiment> experiments() { return kExperiments; }

const Experiment& find_experiment(std::string_view name) {
  if (name == "router-latency") name = "fig10";
  return find_entry(experiments(), "experiment", name);
}

}  // namespace elastic::harness
