#pragma once

// What the formats of `score` share: samples with their scores, brought into the form of a run so
// that tables, intervals and results.csv are those of every other run.

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "runs/record.h"
#include "tasks/metrics/code_similarity.h"

namespace elastic::tasks {

/// What one format makes of its inputs.
struct Scored {
  std::vector<runs::RunData> runs;
  std::map<std::string, double> old_scores;            // by sample key, where the input had one
  std::map<std::filesystem::path, std::string> files;  // the format's own summary, by relative path
  std::string text;             // the same for the reader, printed below the table
  std::vector<Error> failures;  // inputs that could not be scored, each with its reason
};

struct ScoreInput {
  std::vector<std::filesystem::path> paths;
  std::vector<std::string> tasks;  // of --task; empty: all
  std::filesystem::path data_dir;  // for metrics that need a dictionary
  CodeSimilarity code_similarity = CodeSimilarity::kDifflib;
};

/// What `--format` names.
struct ScoreFormat {
  const char* name;
  const char* summary;
  Scored (*score)(const ScoreInput& input);
};

std::span<const ScoreFormat> score_formats();

/// Throws kInvalidArgument with suggestions.
const ScoreFormat& find_score_format(std::string_view name);

/// One line a sample: key, metric, score (0 to 1, null where it failed), old_score where there was
/// one.
std::string scores_jsonl(const Scored& scored);

/// Samples whose score is another than the old one.
std::int64_t changed_scores(const Scored& scored);

/// `path` as one below the output folder: without its root and without steps upwards.
std::filesystem::path path_inside(const std::filesystem::path& path);

Scored score_lm_eval(const ScoreInput& input);
Scored score_longbench(const ScoreInput& input);
Scored score_longbench_v2(const ScoreInput& input);
Scored score_ruler(const ScoreInput& input);
Scored score_elastic(const ScoreInput& input);

}  // namespace elastic::tasks
