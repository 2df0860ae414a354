#pragma once

// RULER's official scores: from per-sample scores to the task score, the two CSV files its scorer
// writes, and the aggregates of its README and paper (arXiv 2404.06654).
//
//   RulerTaskResult vt = score_ruler_task("vt", "string_match_all", read_ruler_predictions(file));
//   write_file_atomic(folder / "summary.csv", ruler_summary_csv({vt}));
//
// Task score = sum over samples (left to right, plain double) / samples * 100, rounded to two
// decimals as a correctly rounded "%.2f" does. Upstream sums on Python 3.10, so not compensated.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::tasks {

/// One line of a prediction file.
struct RulerPrediction {
  std::string id;          // others.id, else index, as it stands in submission.csv
  std::string prediction;  // post-processed
  std::vector<std::string> references;
  bool first_reference_null = false;  // upstream scores a task 0 where its first line has this
};

struct RulerTaskResult {
  std::string task;    // "niah_single_1"
  std::string metric;  // "string_match_all" | "string_match_part"
  std::vector<RulerPrediction> predictions;
  std::vector<std::optional<double>> sample_scores;  // 0..1, in the order of the predictions
  double score = 0;                                  // 0..100, two decimals
  std::int64_t nulls = 0;                            // predictions that are empty
};

/// Throws kInvalidArgument where a sample has no references.
RulerTaskResult score_ruler_task(std::string_view task, std::string_view metric,
                                 std::vector<RulerPrediction> predictions);

/// 0..100, two decimals; 0 for no samples, as upstream has it.
double ruler_task_score(std::span<const double> sample_scores);

/// "summary.csv", or "summary-TASK.csv" for a single task, as upstream names it.
std::string ruler_summary_name(std::span<const RulerTaskResult> results);

/// The bytes of the official summary.csv: a header of column numbers, then Tasks, Score, Nulls.
std::string ruler_summary_csv(std::span<const RulerTaskResult> results);

/// The bytes of the official submission.csv: Task, ID, Prediction.
std::string ruler_submission_csv(std::span<const RulerTaskResult> results);

/// Length score: unweighted mean of the task scores of one length. 0 for none.
double ruler_length_score(std::span<const double> task_scores);

/// The README's columns over 4K, 8K, 16K, 32K, 64K and 128K; a missing length counts as 0.
struct RulerAverages {
  double average = 0;
  double weighted_increasing = 0;  // weights 1..6 from 4K to 128K
  double weighted_decreasing = 0;  // weights 6..1
};
RulerAverages ruler_averages(const std::map<std::int64_t, double>& score_by_length);

/// The largest tested length whose score exceeds 85.6 (Llama-2-7B-chat at 4K): "32K", "<4K" where
/// none does, ">128K" where 128K does. Lengths other than the six are left out; "" for none tested.
std::string ruler_effective_length(const std::map<std::int64_t, double>& score_by_length);

}  // namespace elastic::tasks
