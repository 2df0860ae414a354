#pragma once

// What must be known of a run's times before they are compared: keys of run.json's `environment`
// (docs/run_format.md), from which the report makes its verdict.

#include <map>
#include <string>

#include "engine/api/generator.h"
#include "engine/api/gpu_watch.h"
#include "harness/run/run_options.h"

namespace elastic::harness {

/// Before the first sample: `timing`, `attention_kernel`, `timing_faults`; with --timing also
/// `load_average`, of the minute before.
std::map<std::string, std::string> timing_facts(const engine::Generator& generator,
                                                const RunOptions& options);

/// After the last: `gpu_meanwhile` and `gpu_spoiled_by`.
std::map<std::string, std::string> gpu_facts(const engine::GpuConditions& gpu);

}  // namespace elastic::harness
