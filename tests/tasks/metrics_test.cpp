// Single rules of the metrics, by hand: what a whole row of an official scorer may hide.

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"
#include "tasks/longbench/aggregate.h"
#include "tasks/metrics/choice.h"
#include "tasks/metrics/classification.h"
#include "tasks/metrics/code_similarity.h"
#include "tasks/metrics/retrieval.h"
#include "tasks/metrics/rouge_l.h"
#include "tasks/metrics/string_match.h"
#include "tasks/scoring/v2_scores.h"

namespace elastic::tasks {
namespace {

std::string repeated(std::string_view text, std::size_t characters) {
  std::string out;
  while (out.size() < characters) out += text;
  out.resize(characters);
  return out;
}

// "b a" against the truth "a b": of two longest subsequences the walk back takes the one of the
// truth's last word, b. The second sentence adds b again, so one word of two is shared; the other
// walk would share both.
TEST(Metrics, RougeWalksBackByTheTruthOnATie) {
  EXPECT_NEAR(rouge_l("b a.b", "a b"), 0.5, 1e-7);
  EXPECT_NEAR(rouge_l("b a.a", "a b"), 1.0, 1e-7);
}

TEST(Metrics, LengthBucketsBeginAtTheirBounds) {
  EXPECT_EQ(length_bucket(3999), 0u);
  EXPECT_EQ(length_bucket(4000), 1u);
  EXPECT_EQ(length_bucket(7999), 1u);
  EXPECT_EQ(length_bucket(8000), 2u);
}

TEST(Metrics, V2CountsNoAnswerAsAGuessOnlyWhereAsked) {
  V2Set set;
  for (const auto& [difficulty, length, pred, judge] :
       std::vector<std::tuple<const char*, const char*, const char*, bool>>{
           {"easy", "short", "A", true},
           {"easy", "medium", "B", false},
           {"hard", "long", nullptr, false},
           {"hard", "short", nullptr, false}}) {
    V2Prediction row{.difficulty = difficulty, .length = length, .judge = judge};
    if (pred != nullptr) row.pred = pred;
    set.predictions.push_back(row);
  }
  const auto right = [&](bool compensated) {
    std::vector<double> out;
    for (const V2Class& c : v2_classes(set, {.compensated = compensated})) out.push_back(c.right);
    return out;  // overall, easy, hard, short, medium, long
  };
  EXPECT_EQ(right(false), (std::vector<double>{1, 1, 0, 1, 0, 0}));
  EXPECT_EQ(right(true), (std::vector<double>{1.5, 1, 0.5, 1.25, 0, 0.25}));
  const std::vector<V2Class> classes = v2_classes(set, {});
  EXPECT_EQ(classes[0].n, 4);
  EXPECT_EQ(classes[3].n, 2);
  EXPECT_EQ(classes[5].n, 1);
}

TEST(Metrics, ChoiceInBracketsWinsElseTheFirstBareLetter) {
  const std::string sentence = "The correct answer is ";
  EXPECT_EQ(extract_choice(sentence + "B. No: " + sentence + "C."), 'B');
  EXPECT_EQ(extract_choice(sentence + "B. No: " + sentence + "(C)."), 'C');
  EXPECT_EQ(extract_choice(sentence + "E"), std::nullopt);
}

// difflib leaves out characters that are more than 1 % of a truth of 200 characters or more, so a
// prediction that is one character off at its beginning shares nothing with one of two letters.
TEST(Metrics, CommonCharactersAreLeftOutFromTwoHundredOn) {
  for (const auto& [characters, expected] :
       std::vector<std::pair<std::size_t, double>>{{199, 1.0}, {200, 0.0}}) {
    const std::string truth = repeated("ab", characters);
    EXPECT_EQ(code_similarity("x" + truth, truth, CodeSimilarity::kDifflib), expected);
    EXPECT_EQ(code_similarity("x" + truth, truth, CodeSimilarity::kIndel), 1.0);
  }
}

// A score of 0.5 % rounds to 0, half to even; one character more is 1 %. Both lie where the search
// begins to pay.
TEST(Metrics, CodeSimilarityAtTheFirstPercent) {
  const std::string truth = "q";
  EXPECT_EQ(code_similarity("q" + repeated("z", 398), truth, CodeSimilarity::kDifflib), 0.0);
  EXPECT_EQ(code_similarity("q" + repeated("z", 397), truth, CodeSimilarity::kDifflib), 0.01);
  EXPECT_EQ(code_similarity("q" + repeated("z", 398), truth, CodeSimilarity::kIndel), 0.0);
  EXPECT_EQ(code_similarity("q" + repeated("z", 397), truth, CodeSimilarity::kIndel), 0.01);
}

// A runaway prediction: 400 KB in one line whose every character is in half of the truth's places.
TEST(Metrics, LongPredictionsAreScoredAtOnce) {
  const std::string prediction = repeated("a", 400'000), truth = repeated("ab", 199);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(code_similarity(prediction, truth, CodeSimilarity::kDifflib), 0.0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));  // 9 s by search
}

struct Classified {
  std::vector<std::string> classes;
  const char* prediction;
  const char* truth;
  double score;
};

// A class within the truth's name is left out, and the one behind it is not looked at then: as
// the official scorer changes the list that it goes through.
TEST(Metrics, ClassesInThePredictionShareItsScore) {
  const Classified rows[] = {
      {{"x", "y"}, "an x", "x", 1},
      {{"x", "y"}, "x and y", "x", 0.5},
      {{"x", "y", "z"}, "x y z", "z", 1.0 / 3},
      {{"x", "y"}, "y", "x", 0},
      {{"x", "y"}, "", "x", 0},
      {{}, "x", "x", 0},
      {{"a", "abc"}, "abc", "abc", 1},
      {{"abc", "a"}, "abc", "abc", 1},
      {{"a", "ab", "abc"}, "abc", "abc", 0.5},
      {{"ab", "x", "a", "abc"}, "abc x", "abc", 0.5},
      {{"abcd", "abc"}, "abcd", "abc", 0.5},
  };
  for (const Classified& row : rows) {
    EXPECT_EQ(classification(row.prediction, row.truth, row.classes), row.score)
        << row.prediction << " for " << row.truth << " of " << row.classes.size();
  }
}

std::string refused(const std::string& truth, bool chinese) {
  try {
    chinese ? retrieval_zh("1", truth) : retrieval("1", truth);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Metrics, ParagraphsAreNamedByTheirFirstNumber) {
  EXPECT_EQ(retrieval("12, or 3", "Paragraph 12"), 0.5);
  EXPECT_EQ(retrieval("12", "no Paragraph of Paragraph 12, Paragraph 3"), 1);
  EXPECT_EQ(retrieval("3", "no Paragraph of Paragraph 12, Paragraph 3"), 0);
  EXPECT_EQ(retrieval("2", "Paragraph 12"), 0);
  EXPECT_EQ(retrieval_zh("12", "\u6bb5\u843d\u6bb5\u843d12"), 1);
  EXPECT_EQ(
      refused("7", true),
      "the truth `7` names no paragraph (`\u6bb5\u843d` and a number): a retrieval set cannot "
      "be scored against it");
  const std::string sixty(60, 'x');
  EXPECT_EQ(
      refused(sixty + "y", false),
      "the truth `" + sixty +
          "` names no paragraph (`Paragraph ` and a number): a retrieval set cannot be scored "
          "against it");
}

TEST(Metrics, BlanksWithinAPredictionStay) {
  EXPECT_EQ(ruler_postprocess("a b\x1f"
                              "c d\x7f"),
            "a b\nc d\x7f");
}

TEST(Metrics, AChoiceMayEndTheReply) {
  EXPECT_EQ(extract_choice("The correct answer is (A)"), 'A');
  EXPECT_EQ(extract_choice("The correct answer is (D)"), 'D');
  EXPECT_EQ(extract_choice("The correct answer is (@)"), std::nullopt);
  EXPECT_EQ(extract_choice("The correct answer is (E)"), std::nullopt);
  EXPECT_EQ(extract_choice("The correct answer is (A]"), std::nullopt);
  EXPECT_EQ(extract_choice("The correct answer is [A)"), std::nullopt);
}

}  // namespace
}  // namespace elastic::tasks
