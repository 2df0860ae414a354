#pragma once

// ROUGE-L as the PyPI package rouge 1.0.1 computes it (LongBench's summaries; not Google's
// rouge_score): union over sentence pairs of the words on one longest
// common subsequence, each word counted once.
//
//   double score = rouge_l(prediction, truth);                  // 0 .. 0.999999995
//   double score = rouge_l_zh(prediction, truth, segmenter);
//
//   R = |U| / distinct words of the truth, P = |U| / distinct words of the prediction,
//   F = 2 P R / (P + R + 1e-8)
//
// Sentences end at U+002E alone; a text that ends in a full stop and white space owns an empty
// sentence with one empty word. The package walks back through the table by recursion and gives up
// beyond the interpreter's stack: a pair of sentences that needs more than `max_moves` moves scores
// 0 (CPython 3.12; 3.8 to 3.10 allow one fewer).

#include <cstdint>
#include <string_view>

#include "tasks/metrics/chinese_segmentation.h"

namespace elastic::tasks {

inline constexpr std::int64_t kRougeMaxMoves = 990;
inline constexpr std::int64_t kRougeZhMaxMoves = 989;

double rouge_l(std::string_view prediction, std::string_view truth,
               std::int64_t max_moves = kRougeMaxMoves);

/// Of the segmented texts, words joined by blanks.
double rouge_l_zh(std::string_view prediction, std::string_view truth,
                  const ChineseSegmenter& segmenter, std::int64_t max_moves = kRougeZhMaxMoves);

}  // namespace elastic::tasks
