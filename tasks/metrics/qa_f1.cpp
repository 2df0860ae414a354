#include "tasks/metrics/qa_f1.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <vector>

#include "base/unicode.h"
#include "base/utf8.h"

namespace elastic::tasks {
namespace {

struct PunctuationRange {
  char32_t first, last;
};

// The official list of Chinese punctuation, ascending.
// Its holes (U+3008..300A, U+FF0E) are its own.
constexpr std::array kChinesePunctuation = {
    PunctuationRange{0x2013, 0x2014}, PunctuationRange{0x2018, 0x2019},
    PunctuationRange{0x201b, 0x201f}, PunctuationRange{0x2026, 0x2027},
    PunctuationRange{0x3001, 0x3003}, PunctuationRange{0x300b, 0x3011},
    PunctuationRange{0x3014, 0x301f}, PunctuationRange{0x3030, 0x3030},
    PunctuationRange{0x303e, 0x303f}, PunctuationRange{0xfe4f, 0xfe4f},
    PunctuationRange{0xff01, 0xff0d}, PunctuationRange{0xff0f, 0xff0f},
    PunctuationRange{0xff1a, 0xff20}, PunctuationRange{0xff3b, 0xff40},
    PunctuationRange{0xff5b, 0xff64}};

bool is_ascii_punctuation(char32_t c) {
  return (c >= 0x21 && c <= 0x2f) || (c >= 0x3a && c <= 0x40) || (c >= 0x5b && c <= 0x60) ||
         (c >= 0x7b && c <= 0x7e);
}

bool is_chinese_punctuation(char32_t c) {
  return std::any_of(
      kChinesePunctuation.begin(), kChinesePunctuation.end(),
      [c](const PunctuationRange& range) { return c >= range.first && c <= range.last; });
}

template <typename Drop>
std::string lower_without(std::string_view text, Drop drop) {
  const std::string lowered = lower_case(text);
  std::string kept;
  kept.reserve(lowered.size());
  for (std::size_t i = 0; i < lowered.size();) {
    const CodePoint c = code_point_at(lowered, i);
    if (!drop(c.value)) kept.append(lowered, i, c.bytes);
    i += c.bytes;
  }
  return kept;
}

// Every run of word characters that is exactly an article becomes a blank.
std::string without_articles(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size()) {
      const CodePoint c = code_point_at(text, end);
      if (!is_word(c.value)) break;
      end += c.bytes;
    }
    if (end == i) {
      const std::size_t bytes = code_point_at(text, i).bytes;
      out.append(text.substr(i, bytes));
      i += bytes;
      continue;
    }
    const std::string_view word = text.substr(i, end - i);
    const bool article = word == "a" || word == "an" || word == "the";
    out.append(article ? " " : word);
    i = end;
  }
  return out;
}

template <typename Word>
double token_f1(const std::vector<Word>& prediction, const std::vector<Word>& truth) {
  std::unordered_map<std::string_view, std::int64_t> counts;
  for (const Word& word : truth) ++counts[word];
  std::int64_t same = 0;
  for (const Word& word : prediction) {
    const auto it = counts.find(word);
    if (it == counts.end() || it->second == 0) continue;
    --it->second;
    ++same;
  }
  if (same == 0) return 0;
  const double precision = static_cast<double>(same) / static_cast<double>(prediction.size());
  const double recall = static_cast<double>(same) / static_cast<double>(truth.size());
  return 2 * precision * recall / (precision + recall);
}

std::vector<std::string> zh_tokens(std::string_view text, const ChineseSegmenter& segmenter) {
  std::vector<std::string> tokens;
  for (const std::string_view word : segmenter.cut(text)) {
    std::string token = normalize_zh_answer(word);
    if (!token.empty()) tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace

std::string normalize_answer(std::string_view text) {
  const std::string bare = without_articles(lower_without(text, is_ascii_punctuation));
  std::string joined;
  joined.reserve(bare.size());
  for (const std::string_view word : split_white_space(bare)) {
    if (!joined.empty()) joined += ' ';
    joined += word;
  }
  return joined;
}

std::string normalize_zh_answer(std::string_view text) {
  return lower_without(text, [](char32_t c) {
    return is_ascii_punctuation(c) || is_chinese_punctuation(c) || is_space(c);
  });
}

double qa_f1(std::string_view prediction, std::string_view truth) {
  const std::string p = normalize_answer(prediction), g = normalize_answer(truth);
  return token_f1(split_white_space(p), split_white_space(g));
}

double qa_f1_zh(std::string_view prediction, std::string_view truth,
                const ChineseSegmenter& segmenter) {
  return token_f1(zh_tokens(prediction, segmenter), zh_tokens(truth, segmenter));
}

}  // namespace elastic::tasks
