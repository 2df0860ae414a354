#pragma once

// Word F1 of LongBench's question answering sets (arXiv 2308.14508), as its official scorer
// computes it: both texts brought to a normal form, words counted with multiplicity.
//
//   double score = qa_f1(prediction, truth);                    // 0 .. 1
//   double score = qa_f1_zh(prediction, truth, segmenter);      // words by segmentation

#include <string>
#include <string_view>

#include "tasks/metrics/chinese_segmentation.h"

namespace elastic::tasks {

/// Lower case, ASCII punctuation removed, the words a, an, the
/// replaced by a blank, white space collapsed.
std::string normalize_answer(std::string_view text);

/// Lower case, ASCII and Chinese punctuation removed, white space removed.
std::string normalize_zh_answer(std::string_view text);

double qa_f1(std::string_view prediction, std::string_view truth);

double qa_f1_zh(std::string_view prediction, std::string_view truth,
                const ChineseSegmenter& segmenter);

}  // namespace elastic::tasks
