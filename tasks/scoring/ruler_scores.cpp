#include "tasks/scoring/ruler_scores.h"

#include <fmt/format.h>

#include <array>
#include <numeric>

#include "base/csv.h"
#include "base/python_number.h"
#include "tasks/metrics/string_match.h"

namespace elastic::tasks {
namespace {

constexpr std::int64_t kKilo = 1024;
constexpr std::array<std::int64_t, 6> kReportedLengths = {4 * kKilo,  8 * kKilo,  16 * kKilo,
                                                          32 * kKilo, 64 * kKilo, 128 * kKilo};
constexpr double kEffectiveThreshold = 85.6;

}  // namespace

double ruler_task_score(std::span<const double> sample_scores) {
  if (sample_scores.empty()) return 0;
  const double sum = std::accumulate(sample_scores.begin(), sample_scores.end(), 0.0);
  return python_round(sum / static_cast<double>(sample_scores.size()) * 100, 2);
}

RulerTaskResult score_ruler_task(std::string_view task, std::string_view metric,
                                 std::vector<RulerPrediction> predictions) {
  RulerTaskResult result{.task = std::string(task), .metric = std::string(metric)};
  for (const RulerPrediction& p : predictions) result.nulls += p.prediction.empty() ? 1 : 0;
  if (!predictions.empty() && predictions.front().first_reference_null) {
    result.sample_scores.assign(predictions.size(), std::nullopt);
  } else {
    const auto score_of = metric == "string_match_part" ? string_match_part : string_match_all;
    std::vector<double> scores;
    scores.reserve(predictions.size());
    for (const RulerPrediction& p : predictions) {
      scores.push_back(score_of(p.prediction, p.references));
    }
    result.score = ruler_task_score(scores);
    result.sample_scores.assign(scores.begin(), scores.end());
  }
  result.predictions = std::move(predictions);
  return result;
}

std::string ruler_summary_name(std::span<const RulerTaskResult> results) {
  return results.size() == 1 ? fmt::format("summary-{}.csv", results.front().task) : "summary.csv";
}

std::string ruler_summary_csv(std::span<const RulerTaskResult> results) {
  std::string header = "0", tasks = "Tasks", scores = "Score", nulls = "Nulls";
  for (std::size_t i = 0; i < results.size(); ++i) {
    const RulerTaskResult& result = results[i];
    header += fmt::format(",{}", i + 1);
    tasks += "," + csv_field(result.task);
    scores += "," + python_float(result.score);
    nulls += fmt::format(",{}/{}", result.nulls, result.predictions.size());
  }
  return header + "\n" + tasks + "\n" + scores + "\n" + nulls + "\n";
}

std::string ruler_submission_csv(std::span<const RulerTaskResult> results) {
  std::string text = "Task,ID,Prediction\n";
  for (const RulerTaskResult& result : results) {
    for (const RulerPrediction& p : result.predictions) {
      text += csv_field(result.task) + ',' + csv_field(p.id) + ',' + csv_field(p.prediction) + '\n';
    }
  }
  return text;
}

double ruler_length_score(std::span<const double> task_scores) {
  if (task_scores.empty()) return 0;
  return std::accumulate(task_scores.begin(), task_scores.end(), 0.0) /
         static_cast<double>(task_scores.size());
}

RulerAverages ruler_averages(const std::map<std::int64_t, double>& score_by_length) {
  RulerAverages averages;
  double weights = 0;
  const double count = static_cast<double>(kReportedLengths.size());
  for (std::size_t i = 0; i < kReportedLengths.size(); ++i) {
    const auto it = score_by_length.find(kReportedLengths[i]);
    const double score = it == score_by_length.end() ? 0 : it->second;
    const double weight = static_cast<double>(i + 1);
    weights += weight;
    averages.average += score / count;
    averages.weighted_increasing += score * weight;
    averages.weighted_decreasing += score * (count + 1 - weight);
  }
  averages.weighted_increasing /= weights;
  averages.weighted_decreasing /= weights;
  return averages;
}

std::string ruler_effective_length(const std::map<std::int64_t, double>& score_by_length) {
  std::string effective;
  for (const std::int64_t length : kReportedLengths) {
    const auto it = score_by_length.find(length);
    if (it == score_by_length.end()) continue;
    if (effective.empty()) effective = "<4K";
    if (it->second > kEffectiveThreshold) effective = fmt::format("{}K", length / kKilo);
  }
  return effective == "128K" ? ">128K" : effective;
}

}  // namespace elastic::tasks
