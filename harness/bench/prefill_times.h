#pragma once

// Times of whole prompts under one mode, for `bench prefill` and `reproduce`.
//
//   PrefillTimes times{.tokens = 8192};
//   run_prefill(*engine, "fa-ssa", times, keep);

#include <cstdint>
#include <string>
#include <vector>

#include "engine/api/generator.h"

namespace elastic::harness {

/// Milliseconds of one prefill and its parts.
struct PrefillSplit {
  double prefill = 0, router = 0, select = 0, attention = 0;
};

struct PrefillTimes {
  std::int64_t tokens = 0;
  std::string mode = {};  // with every option that changes results
  std::vector<PrefillSplit> runs = {};
  engine::Trace trace = {};  // of the last run
  std::int64_t peak_bytes = 0;
};

/// One prompt of times.tokens through the engine; its time is kept where `keep`. Milliseconds.
double run_prefill(engine::Generator& engine, const std::string& mode, PrefillTimes& times,
                   bool keep);

/// One part of every run.
std::vector<double> part_of(const PrefillTimes& times, double PrefillSplit::*part);

}  // namespace elastic::harness
