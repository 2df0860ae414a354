// Rules over text that have no small formula, held by one hash each over many random texts of the
// characters that matter. The code equalled every stored result of the reference implementations
// (golden_ruler, golden_longbench) when the hashes were written: whoever changes a rule on purpose
// runs those and writes the new hash.

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/python_random.h"
#include "datasets/chinese_words.h"
#include "tasks/longbench/scorer.h"
#include "tasks/metrics/chinese_segmentation.h"
#include "tasks/metrics/code_similarity.h"
#include "tasks/metrics/count.h"
#include "tasks/metrics/qa_f1.h"
#include "tasks/metrics/rouge_l.h"
#include "tasks/ruler/punkt.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

using Pieces = std::span<const std::string_view>;

std::string random_text(PythonRandom& random, Pieces pieces, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += pieces[random.below(pieces.size())];
  return text;
}

// Of `rounds` texts of up to `most` pieces.
std::string hash_of(std::uint64_t seed, int rounds, std::size_t most, Pieces pieces,
                    const std::function<std::string(PythonRandom&, const std::string&)>& rule) {
  PythonRandom random(seed);
  std::string all;
  for (int round = 0; round < rounds; ++round) {
    const std::string text = random_text(random, pieces, random.below(most + 1));
    all += rule(random, text);
    all += '\n';
  }
  return sha256_hex(all).substr(0, 16);
}

constexpr std::string_view kSentences[] = {
    "a",     " ",      " ",     ". ",   ".",      "? ",  "!",     "...",   " -- ",   "--",
    "-",     "\"",     ")",     "' ",   "]",      "}",   "(",     "[",     "{",      ";",
    ":",     ",",      ",",     "*",    "@",      "#",   "&",     "`",     "\n",     "\t",
    "7",     "3.5",    "-,4",   "1-2",  "B",      "B. ", "x. ",   "Mr. ",  "St. ",   "p.m",
    "p.m. ", "U.S.",   "Ives",  "Hale", "He",     "The", "the",   "asked", "pounds", "é",
    "É. ",   "\u3000", ". . .", ". .",  "n-mr. ", "_. ", "Vance", "mr ",   "7. ",    "5. "};

TEST(TextRules, Sentences) {
  const PunktParameters parameters =
      load_punkt(testing::fixture("ruler/data/ruler/punkt_tab_english"));
  EXPECT_EQ(hash_of(1, 6000, 14, kSentences,
                    [&](PythonRandom&, const std::string& text) {
                      std::string all;
                      for (const auto& sentence : punkt_sentences(parameters, text)) {
                        all += fmt::format("{}|", sentence);
                      }
                      return all;
                    }),
            "6831888a3bd3c009");
}

TEST(TextRules, PrefixesOfSentences) {
  const PunktParameters parameters =
      load_punkt(testing::fixture("ruler/data/ruler/punkt_tab_english"));
  PythonRandom random(2);
  for (int round = 0; round < 150; ++round) {
    const std::string text = random_text(random, kSentences, 30);
    const PrefixSentences all(parameters, text);
    for (std::size_t bytes = 0; bytes <= text.size(); ++bytes) {
      if (bytes < text.size() && (text[bytes] & 0xC0) == 0x80) continue;  // within a character
      ASSERT_EQ(all.sentences(bytes),
                punkt_sentences(parameters, std::string_view(text).substr(0, bytes)))
          << text << "\nat " << bytes;
    }
  }
}

// Words of one to four characters over six, and probabilities that no path shares.
const ChineseSegmenter& segmenter() {
  static const ChineseSegmenter kSegmenter(datasets::parse_chinese_model(
      {"一二 3 n\n二三 5 n\n一二三 1 n\n三 9 n\n四五六 2 n\n五 1 n\n六一 4 n\n一二三四 2 n\nab 7 "
       "n\na一 3 n\n",
       "P={'B': -0.26, 'E': -3.14e+100, 'M': -3.14e+100, 'S': -1.46}",
       "P={'B': {'E': -0.51, 'M': -0.92}, 'E': {'B': -0.59, 'S': -0.81},\n"
       " 'M': {'E': -0.33, 'M': -1.26}, 'S': {'B': -0.72, 'S': -0.67}}",
       "P={'B': {'\\u4e00': -3.6, '\\u4e8c': -5.1, '\\u56db': -2.2, '\\u4e94': -4.5},\n"
       " 'E': {'\\u4e00': -4.1, '\\u4e09': -2.5, '\\u56db': -6.2, '\\u516d': -3.5},\n"
       " 'M': {'\\u4e8c': -3.3, '\\u4e09': -4.4, '\\u4e94': -2.1},\n"
       " 'S': {'\\u4e00': -5.5, '\\u4e8c': -2.9, '\\u516d': -1.7, '\\u4e03': -3.0}}"}));
  return kSegmenter;
}

constexpr std::string_view kChinese[] = {
    "一", "二", "三",   "四", "五", "六", "七",     "一",     "二",     "a", "b",
    "Z",  "0",  "9",    ".",  "%",  "+",  "-",      "_",      "&",      "#", " ",
    "\r", "\n", "\r\n", "，", "。", "é",  "\u4dff", "\u9fd5", "\u9fd6", "!", "~"};

TEST(TextRules, ChineseWords) {
  EXPECT_EQ(hash_of(3, 6000, 12, kChinese,
                    [&](PythonRandom&, const std::string& text) {
                      std::string all;
                      for (const auto& word : segmenter().cut(text))
                        all += fmt::format("{}|", word);
                      return all;
                    }),
            "4a3b56672ecbab9c");
}

// Characters that the dictionary has apart are not joined by the model where it has them together.
TEST(TextRules, ChineseWordsOfSingleCharacters) {
  const ChineseSegmenter segmenter(datasets::parse_chinese_model(
      {"一 900 n\n三 900 n\n四 900 n\n一三 1 n\n", "P={'B': -0.26, 'S': -1.46}",
       "P={'B': {'E': -0.51}, 'E': {'B': -0.59, 'S': -0.81}, 'M': {}, 'S': {'B': -0.72, 'S': "
       "-0.67}}",
       "P={'B': {'\\u4e00': -3.6}, 'E': {'\\u4e09': -2.5, '\\u56db': -2.5}, 'M': {},\n"
       " 'S': {'\\u4e00': -5.5}}"}));
  const auto cut = [&](std::string_view text) {
    return fmt::format("{}", fmt::join(segmenter.cut(text), "|"));
  };
  EXPECT_EQ(cut("一三"), "一|三");
  EXPECT_EQ(cut("一四"), "一四");
  EXPECT_EQ(cut("一"), "一");
  EXPECT_EQ(cut("3.1%x.5% a"), "3.1%|x.5%| |a");
}

constexpr std::string_view kAnswers[] = {
    "a ", "the ", "an ", "red ", "hen", "Hen", " ", "-", "7", "12", "é",  ".", ". ",    "!",   "\n",
    "\t", "一",   "二",  "。",   "~",   "[",   "`", "{", "@", "_",  "：", "·", "three", "fox "};

TEST(TextRules, AnswersAreNormalisedAndCompared) {
  EXPECT_EQ(
      hash_of(4, 1000, 10, kAnswers,
              [&](PythonRandom& random, const std::string& text) {
                const std::string truth = random_text(random, kAnswers, random.below(9));
                std::string all = normalize_answer(text) + "|" + normalize_zh_answer(text);
                for (const double score :
                     {qa_f1(text, truth), qa_f1_zh(text, truth, segmenter()), rouge_l(text, truth),
                      rouge_l_zh(text, truth, segmenter()), count_score(text, truth)}) {
                  all += fmt::format("|{:.10g}", score);
                }
                return all;
              }),
      "635f9d36dc6c2cd9");
}

// A subsequence's length by its definition, over all subsets of the shorter text.
std::size_t longest_common(std::string_view a, std::string_view b) {
  std::size_t best = 0;
  for (std::size_t subset = 0; subset < std::size_t{1} << a.size(); ++subset) {
    std::size_t at = 0, taken = 0;
    bool fits = true;
    for (std::size_t i = 0; i < a.size() && fits; ++i) {
      if ((subset >> i & 1) == 0) continue;
      at = b.find(a[i], at);
      fits = at != std::string_view::npos;
      if (fits) ++at, ++taken;
    }
    if (fits) best = std::max(best, taken);
  }
  return best;
}

TEST(TextRules, IndelIsTheLongestCommonSubsequence) {
  constexpr std::string_view kLetters[] = {"a", "b", "c", "d"};
  PythonRandom random(5);
  for (int round = 0; round < 400; ++round) {
    const std::string a = random_text(random, kLetters, 1 + random.below(7));
    const std::string b = random_text(random, kLetters, 1 + random.below(9));
    const double total = static_cast<double>(a.size() + b.size());
    const double expected =
        std::nearbyint(100 *
                       (1 - (total - 2 * static_cast<double>(longest_common(a, b))) / total)) /
        100;
    EXPECT_EQ(code_similarity(a, b, CodeSimilarity::kIndel), expected) << a << " " << b;
  }
}

constexpr std::string_view kCode[] = {"a", "b",  "c",   "ab", "bca", "(", ")", " ",
                                      "=", "éa", "abc", "\n", "#",   "`", "/", "//"};

TEST(TextRules, CodeIsCompared) {
  const auto rule = [](std::size_t truth_pieces, CodeSimilarity mode) {
    return [=](PythonRandom& random, const std::string& text) {
      const std::string truth = random_text(random, std::span(kCode).first(11), truth_pieces);
      return fmt::format("{}|{:.10g}", first_code_line(text), code_similarity(text, truth, mode));
    };
  };
  EXPECT_EQ(hash_of(6, 3000, 14, kCode, rule(8, CodeSimilarity::kDifflib)), "b1bf80429b4bc9be");
  EXPECT_EQ(hash_of(7, 200, 300, std::span(kCode).first(11), rule(150, CodeSimilarity::kDifflib)),
            "64f424dade73dd89");
  EXPECT_EQ(hash_of(8, 2000, 14, kCode, rule(8, CodeSimilarity::kIndel)), "8e5bba056444797c");
}

// The walk of a comparison is bounded: as many moves as it takes are allowed, one less is too few.
TEST(TextRules, RougeGivesUpBeyondItsMoves) {
  EXPECT_NEAR(rouge_l("a b c", "a x b c", 4), 6.0 / 7, 1e-7);
  EXPECT_EQ(rouge_l("a b c", "a x b c", 3), 0);
  EXPECT_EQ(rouge_l("a b c", "a b c", 2), 0);
  EXPECT_NEAR(rouge_l("a b c", "a b c", 3), 1, 1e-7);
}

}  // namespace
}  // namespace elastic::tasks
