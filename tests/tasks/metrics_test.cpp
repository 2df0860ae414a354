// Single rules of the metrics, by hand: what a whole row of an official scorer may hide.

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tasks/longbench/aggregate.h"
#include "tasks/metrics/choice.h"
#include "tasks/metrics/code_similarity.h"
#include "tasks/metrics/rouge_l.h"
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

}  // namespace
}  // namespace elastic::tasks
