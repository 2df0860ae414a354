#pragma once

// What the formats of `score` share: samples with their scores, brought into the form of a run so
// that tables, intervals and results.csv are those of every other run.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "harness/store/record.h"

namespace elastic::harness {

/// What one format makes of its inputs.
struct Scored {
  std::vector<RunData> runs;
  std::map<std::string, double> old_scores;            // by sample key, where the input had one
  std::map<std::filesystem::path, std::string> files;  // the format's own summary, by relative path
};

struct ScoreInput {
  std::vector<std::filesystem::path> paths;
  std::vector<std::string> tasks;  // of --task; empty: all
};

Scored score_ruler(const ScoreInput& input);
Scored score_elastic(const ScoreInput& input);

}  // namespace elastic::harness
