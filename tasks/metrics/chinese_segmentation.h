#pragma once

// Chinese word segmentation equal to `jieba.cut(text)` of jieba 0.42.1 (accurate mode with its
// hidden Markov model): the most probable path through the dictionary, the model for what the path
// leaves as single characters.
//
//   const ChineseSegmenter segmenter(datasets::load_chinese_model(folder));
//   std::vector<std::string_view> tokens = segmenter.cut(text);   // views into `text`, none empty
//
// Const and thread-safe.

#include <string_view>
#include <vector>

#include "datasets/chinese_words.h"

namespace elastic::tasks {

class ChineseSegmenter {
 public:
  explicit ChineseSegmenter(datasets::ChineseModel model) : model_(std::move(model)) {}

  /// In the order of the text; together they are the whole text.
  std::vector<std::string_view> cut(std::string_view text) const;

 private:
  datasets::ChineseModel model_;
};

}  // namespace elastic::tasks
