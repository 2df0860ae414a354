#pragma once

// One prediction file through the official scorer.
//
//   for (const LongbenchFile& file : folder.files) {
//     const LongbenchFileResult result = evaluate_longbench_file(file, scorer);

#include <vector>

#include "tasks/longbench/aggregate.h"
#include "tasks/longbench/scorer.h"
#include "tasks/scoring/longbench_predictions.h"

namespace elastic::tasks {

struct LongbenchFileResult {
  LongbenchSetScores scores;
  std::vector<LongbenchPrediction> predictions;  // of the same samples
};

/// Every sample is scored with the label list of the file's last record, as the official scorer
/// does. Throws kInvalidArgument for an unknown set, and what reading and scoring throw.
LongbenchFileResult evaluate_longbench_file(const LongbenchFile& file,
                                            const LongbenchScorer& scorer);

/// The scores alone, in another mode of code similarity.
LongbenchSetScores rescore_longbench(const LongbenchFileResult& result,
                                     const LongbenchScorer& scorer);

}  // namespace elastic::tasks
