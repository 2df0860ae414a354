#include "tasks/metrics/rouge_l.h"

#include <algorithm>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "base/unicode.h"

namespace elastic::tasks {
namespace {

using Word = std::uint32_t;
using Sentence = std::vector<Word>;

// Words of both texts by number, so that comparing them is cheap.
class Vocabulary {
 public:
  Word number(std::string_view word) {
    return numbers_.emplace(word, static_cast<Word>(numbers_.size())).first->second;
  }
  std::size_t size() const { return numbers_.size(); }

 private:
  std::unordered_map<std::string_view, Word> numbers_;
};

std::vector<Sentence> sentences(std::string_view text, Vocabulary& vocabulary) {
  std::vector<Sentence> all;
  for (const std::string_view piece : split(text, '.')) {
    if (piece.empty()) continue;
    Sentence sentence;
    for (const std::string_view word : split_white_space(piece)) {
      sentence.push_back(vocabulary.number(word));
    }
    if (sentence.empty()) sentence.push_back(vocabulary.number(""));
    all.push_back(std::move(sentence));
  }
  return all;
}

std::size_t distinct(const std::vector<Sentence>& text, std::size_t vocabulary) {
  std::vector<bool> seen(vocabulary);
  for (const Sentence& sentence : text) {
    for (const Word word : sentence) seen[word] = true;
  }
  return static_cast<std::size_t>(std::count(seen.begin(), seen.end(), true));
}

// Table of longest common subsequences of one pair of sentences, of which only the direction of
// the walk back is kept: one bit a cell.
class CommonSubsequence {
 public:
  explicit CommonSubsequence(std::size_t vocabulary) : used_(vocabulary) {}

  /// Adds the words on the subsequence to the union; false where the walk needs too many moves.
  bool add(const Sentence& truth, const Sentence& prediction, std::int64_t max_moves) {
    // The walk has at least as many moves as the shorter sentence has words.
    if (static_cast<std::int64_t>(std::min(truth.size(), prediction.size())) > max_moves) {
      return false;
    }
    fill(truth, prediction);
    const std::size_t columns = prediction.size();
    std::int64_t moves = 0;
    for (std::size_t i = truth.size(), j = columns; i > 0 && j > 0;) {
      if (++moves > max_moves) return false;
      if (truth[i - 1] == prediction[j - 1]) {
        used_[truth[i - 1]] = true;
        --i;
        --j;
      } else if (upwards_[(i - 1) * columns + j - 1]) {
        --i;
      } else {
        --j;
      }
    }
    return true;
  }

  std::size_t words() const {
    return static_cast<std::size_t>(std::count(used_.begin(), used_.end(), true));
  }

 private:
  void fill(const Sentence& truth, const Sentence& prediction) {
    const std::size_t columns = prediction.size();
    upwards_.assign(truth.size() * columns, false);
    above_.assign(columns + 1, 0);
    row_.assign(columns + 1, 0);
    for (std::size_t i = 0; i < truth.size(); ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        if (truth[i] == prediction[j]) {
          row_[j + 1] = above_[j] + 1;
        } else if (above_[j + 1] > row_[j]) {
          row_[j + 1] = above_[j + 1];
          upwards_[i * columns + j] = true;
        } else {
          row_[j + 1] = row_[j];
        }
      }
      above_.swap(row_);
    }
  }

  std::vector<bool> used_;
  std::vector<bool> upwards_;
  std::vector<std::uint32_t> above_, row_;
};

}  // namespace

double rouge_l(std::string_view prediction, std::string_view truth, std::int64_t max_moves) {
  Vocabulary vocabulary;
  const std::vector<Sentence> p = sentences(prediction, vocabulary);
  const std::vector<Sentence> g = sentences(truth, vocabulary);
  if (p.empty() || g.empty()) return 0;
  CommonSubsequence common(vocabulary.size());
  for (const Sentence& truth_sentence : g) {
    for (const Sentence& sentence : p) {
      if (!common.add(truth_sentence, sentence, max_moves)) return 0;
    }
  }
  const auto shared = static_cast<double>(common.words());
  const double recall = shared / static_cast<double>(distinct(g, vocabulary.size()));
  const double precision = shared / static_cast<double>(distinct(p, vocabulary.size()));
  return 2 * (precision * recall / (precision + recall + 1e-8));
}

double rouge_l_zh(std::string_view prediction, std::string_view truth,
                  const ChineseSegmenter& segmenter, std::int64_t max_moves) {
  const auto segmented = [&](std::string_view text) {
    std::string joined;
    joined.reserve(text.size() * 3 / 2);
    for (const std::string_view word : segmenter.cut(text)) {
      if (!joined.empty()) joined += ' ';
      joined += word;
    }
    return joined;
  };
  return rouge_l(segmented(prediction), segmented(truth), max_moves);
}

}  // namespace elastic::tasks
