#pragma once

// The official LongBench scorer, sample by sample: the answer's post-processing, the set's metric,
// the best of the accepted answers.
//
//   const LongbenchScorer scorer = {.segmenter = shared_segmenter(data_dir)};
//   double score = longbench_score(longbench_set("trec"), sample, scorer);   // 0 .. 1

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/longbench/sets.h"
#include "tasks/metrics/code_similarity.h"
#include "tasks/metrics/rouge_l.h"

namespace elastic::tasks {

struct LongbenchScorer {
  CodeSimilarity code = CodeSimilarity::kDifflib;
  std::shared_ptr<const ChineseSegmenter> segmenter;  // needed by needs_segmentation() sets only
};

struct LongbenchAnswer {
  std::string_view prediction;
  const std::vector<std::string>& truths;   // every accepted answer; none: 0
  const std::vector<std::string>* classes;  // label list; null: none
};

/// Throws kInvalidArgument where the set needs labels or a paragraph number that are not there.
double longbench_score(const LongbenchSet& set, const LongbenchAnswer& answer,
                       const LongbenchScorer& scorer);

/// What is scored of a prediction: its first line, for the sets that have that rule.
std::string_view longbench_postprocess(const LongbenchSet& set, std::string_view prediction);

/// The metric with its mode: "qa_f1", "code_sim_difflib".
std::string longbench_metric_name(const LongbenchSet& set, CodeSimilarity code);

/// The segmenter over DATA/jieba, loaded once a process. Throws kNotFound, kCorrupt.
std::shared_ptr<const ChineseSegmenter> shared_segmenter(const std::filesystem::path& data_dir);

}  // namespace elastic::tasks
