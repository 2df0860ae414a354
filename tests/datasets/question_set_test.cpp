// Question sets by hand: sorted documents, gold and related ones, unanswerable questions left out.

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "datasets/question_set.h"
#include "tests/testing/folders.h"

namespace elastic::datasets {
namespace {

using Indices = std::vector<std::size_t>;
using Texts = std::vector<std::string>;

TEST(QuestionSet, SquadKeepsAnswerableQuestionsInOrder) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "squad.json", R"({"data": [
    {"paragraphs": [
      {"context": "zoo", "qas": [
        {"question": "q1", "is_impossible": false, "answers": [{"text": "a"}, {"text": "a"}]},
        {"question": "q2", "is_impossible": true, "answers": []}]},
      {"context": "ant", "qas": [{"question": "q3", "answers": [{"text": "b"}]}]},
      {"context": "zoo", "qas": []}]},
    {"paragraphs": [{"context": "mid", "qas": [{"question": "q4", "answers": []}]}]}]})");
  const QuestionSet set = load_squad(folder / "squad.json");
  EXPECT_EQ(set.documents, (Texts{"ant", "mid", "zoo"}));
  ASSERT_EQ(set.questions.size(), 3U);
  EXPECT_EQ(set.questions[0].text, "q1");
  EXPECT_EQ(set.questions[0].answers, (Texts{"a", "a"}));
  EXPECT_EQ(set.questions[0].gold, Indices{2});
  EXPECT_EQ(set.questions[0].related, Indices{0});
  EXPECT_EQ(set.questions[1].text, "q3");
  EXPECT_EQ(set.questions[1].gold, Indices{0});
  EXPECT_EQ(set.questions[1].related, (Indices{2, 2})) << "paragraphs may repeat";
  EXPECT_EQ(set.questions[2].gold, Indices{1});
  EXPECT_EQ(set.questions[2].related, Indices{});
}

TEST(QuestionSet, HotpotqaDocumentsAreTitleAndSentences) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "hotpot.json", R"([
    {"question": "q1", "answer": "a", "context": [["T2", ["One. ", "Two."]], ["T1", ["x"]]]},
    {"question": "q2", "answer": "b", "context": [["T1", ["x"]]]}])");
  const QuestionSet set = load_hotpotqa(folder / "hotpot.json");
  EXPECT_EQ(set.documents, (Texts{"T1\nx", "T2\nOne. Two."}));
  ASSERT_EQ(set.questions.size(), 2U);
  EXPECT_EQ(set.questions[0].answers, Texts{"a"});
  EXPECT_EQ(set.questions[0].gold, (Indices{1, 0}));
  EXPECT_EQ(set.questions[0].related, Indices{});
  EXPECT_EQ(set.questions[1].gold, Indices{0});
}

TEST(QuestionSet, OtherFilesAreNamedErrors) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "bad.json", R"({"data": [{"paragraphs": [{"qas": []}]}]})");
  for (const auto load : {load_squad, load_hotpotqa}) {
    try {
      load(folder / "bad.json");
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
      EXPECT_NE(std::string(error.what()).find("bad.json: not a "), std::string::npos)
          << error.what();
    }
  }
}

// Runs of different days are compared sample by sample: our own data never change unseen.
TEST(QuestionSet, OurOwnAreTheSameOnEveryMachine) {
  for (const auto& [hops, hash] : {std::pair(1, "471187a1d63a5887"), {2, "bc73f9a618d9989c"}}) {
    const QuestionSet set = synthetic_questions(hops);
    std::string all;
    for (const std::string& document : set.documents) all += document + "\n";
    for (const Question& question : set.questions) {
      all += question.text + "|" + question.answers.at(0) + "\n";
    }
    EXPECT_EQ(sha256_hex(all).substr(0, 16), hash);
    for (const Question& question : set.questions) {
      ASSERT_EQ(question.related.size(), hops == 1 ? 11U : 0U) << "the region's other places";
    }
  }
}

// Each question asks after the fields of the entries that its gold documents are.
TEST(QuestionSet, OurOwnAnswersStandInTheirGoldDocuments) {
  for (const int hops : {1, 2}) {
    const QuestionSet set = synthetic_questions(hops);
    ASSERT_FALSE(set.questions.empty());
    EXPECT_TRUE(std::is_sorted(set.documents.begin(), set.documents.end()));
    for (const Question& question : set.questions) {
      ASSERT_EQ(question.gold.size(), static_cast<std::size_t>(hops));
      ASSERT_EQ(question.answers.size(), 1U);
      const std::string& last = set.documents.at(question.gold.back());
      EXPECT_NE(last.find(question.answers[0]), std::string::npos) << question.text;
    }
  }
}

}  // namespace
}  // namespace elastic::datasets
