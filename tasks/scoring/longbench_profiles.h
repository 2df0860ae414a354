#pragma once

// LongBench's own numbers of scored samples, for every source that `score` reads.
//
//   scored.files["profiles.json"] = dump_pretty(profiles_json(sets, e, code));
//   add_longbench_summaries(scored);   // runs of this program

#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "tasks/longbench/aggregate.h"
#include "tasks/scoring/score.h"

namespace elastic::tasks {

/// Every fitting profile with its numbers, each with the rule that made it.
Json profiles_json(std::span<const LongbenchSetScores> sets, bool e, CodeSimilarity code);

/// Categories and overalls of every profile, one line each, `name` in front.
std::string profiles_text(std::string_view name, std::span<const LongbenchSetScores> sets, bool e);

/// For the LongBench samples among the runs: result.json and profiles.json by suite and mode,
/// result.txt for the second version.
void add_longbench_summaries(Scored& scored);

}  // namespace elastic::tasks
