#include "tasks/longbench/scorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/error.h"
#include "tasks/metrics/classification.h"
#include "tasks/metrics/count.h"
#include "tasks/metrics/qa_f1.h"
#include "tasks/metrics/retrieval.h"

namespace elastic::tasks {
namespace {

const std::vector<std::string>& labels(const LongbenchSet& set, const LongbenchAnswer& answer) {
  if (answer.classes != nullptr) return *answer.classes;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: the label list `all_classes` is null; this set cannot be scored "
                          "without it",
                          set.name));
}

const ChineseSegmenter& segmenter(const LongbenchScorer& scorer) {
  check(scorer.segmenter != nullptr, "a Chinese set needs the segmenter");
  return *scorer.segmenter;
}

double metric(const LongbenchSet& set, std::string_view prediction, std::string_view truth,
              const LongbenchAnswer& answer, const LongbenchScorer& scorer) {
  switch (set.metric) {
    case LongbenchMetric::kQaF1:
      return qa_f1(prediction, truth);
    case LongbenchMetric::kQaF1Zh:
      return qa_f1_zh(prediction, truth, segmenter(scorer));
    case LongbenchMetric::kRouge:
      return rouge_l(prediction, truth);
    case LongbenchMetric::kRougeZh:
      return rouge_l_zh(prediction, truth, segmenter(scorer));
    case LongbenchMetric::kClassification:
      return classification(prediction, truth, labels(set, answer));
    case LongbenchMetric::kRetrieval:
      return retrieval(prediction, truth);
    case LongbenchMetric::kRetrievalZh:
      return retrieval_zh(prediction, truth);
    case LongbenchMetric::kCount:
      return count_score(prediction, truth);
    case LongbenchMetric::kCodeSimilarity:
      return code_similarity(prediction, truth, scorer.code);
  }
  return 0;
}

}  // namespace

std::string_view longbench_postprocess(const LongbenchSet& set, std::string_view prediction) {
  if (!set.first_line) return prediction;
  prediction.remove_prefix(std::min(prediction.find_first_not_of('\n'), prediction.size()));
  return prediction.substr(0, prediction.find('\n'));
}

double longbench_score(const LongbenchSet& set, const LongbenchAnswer& answer,
                       const LongbenchScorer& scorer) {
  const std::string_view prediction = longbench_postprocess(set, answer.prediction);
  double best = 0;
  for (const std::string& truth : answer.truths) {
    best = std::max(best, metric(set, prediction, truth, answer, scorer));
  }
  return best;
}

std::string longbench_metric_name(const LongbenchSet& set, CodeSimilarity code) {
  const std::string_view name = to_string(set.metric);
  return set.metric == LongbenchMetric::kCodeSimilarity
             ? fmt::format("{}_{}", name, to_string(code))
             : std::string(name);
}

std::shared_ptr<const ChineseSegmenter> shared_segmenter(const std::filesystem::path& data_dir) {
  static std::mutex mutex;
  static std::map<std::filesystem::path, std::shared_ptr<const ChineseSegmenter>> kept;
  const std::filesystem::path folder = datasets::find_chinese_model(data_dir);
  const std::lock_guard lock(mutex);
  auto& entry = kept[folder];
  if (!entry) {
    entry = std::make_shared<const ChineseSegmenter>(datasets::load_chinese_model(folder));
  }
  return entry;
}

}  // namespace elastic::tasks
