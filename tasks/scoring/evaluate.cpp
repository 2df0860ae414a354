#include "tasks/scoring/evaluate.h"

#include <fmt/format.h>

#include "base/error.h"

namespace elastic::tasks {
namespace {

std::vector<double> scores(const LongbenchSet& set,
                           const std::vector<LongbenchPrediction>& predictions,
                           const LongbenchScorer& scorer) {
  const auto& classes = predictions.back().classes;
  std::vector<double> all;
  all.reserve(predictions.size());
  for (const LongbenchPrediction& p : predictions) {
    all.push_back(
        longbench_score(set, {p.prediction, p.answers, classes ? &*classes : nullptr}, scorer));
  }
  return all;
}

}  // namespace

LongbenchFileResult evaluate_longbench_file(const LongbenchFile& file,
                                            const LongbenchScorer& scorer) {
  const LongbenchSet& set = longbench_set(file.set);
  LongbenchFileResult result{.scores = {}, .predictions = read_longbench_predictions(file.path)};
  result.scores.set = file.set;
  for (const LongbenchPrediction& p : result.predictions) {
    result.scores.lengths.push_back(p.length);
  }
  try {
    result.scores.scores = scores(set, result.predictions, scorer);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: {}", file.path.string(), error.what()));
  }
  return result;
}

LongbenchSetScores rescore_longbench(const LongbenchFileResult& result,
                                     const LongbenchScorer& scorer) {
  LongbenchSetScores again = result.scores;
  again.scores = scores(longbench_set(again.set), result.predictions, scorer);
  return again;
}

}  // namespace elastic::tasks
