// Rules of `score` that whole results rarely show: empty tasks, ids of several files, nested
// replies, sets that need word lists, folders of sets without a length, what cannot be listed.

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "datasets/catalog.h"
#include "tasks/scoring/ruler_predictions.h"
#include "tasks/scoring/score.h"
#include "tests/tasks/scored.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRight = R"({"index": 0, "pred": "AB", "outputs": ["AB"]})"
                               "\n";

using ScoreRules = ScoreTest;

TEST(Scores, OldOnesStandBesideTheNewAndChangesAreCounted) {
  Scored scored;
  const auto add = [&](const char* key, std::optional<double> score) {
    runs::SampleRecord& sample = scored.runs.front().samples.emplace_back();
    sample.key = key;
    sample.metric = "m";
    sample.score = score;
  };
  scored.runs.emplace_back();
  add("changed", 0.5);
  add("same", 1);
  add("failed", std::nullopt);
  add("new", 0.25);
  scored.old_scores = {{"changed", 1}, {"same", 1}, {"failed", 1}};
  EXPECT_EQ(changed_scores(scored), 1);
  EXPECT_EQ(scores_jsonl(scored), R"({"key":"changed","metric":"m","score":0.5,"old_score":1.0}
{"key":"same","metric":"m","score":1.0,"old_score":1.0}
{"key":"failed","metric":"m","score":null,"old_score":1.0}
{"key":"new","metric":"m","score":0.25}
)");
}

TEST_F(ScoreRules, ATaskWithoutPredictionsIsWarnedOf) {
  const fs::path vt = write("p/vt-0.jsonl", ""), more = write("p/vt-1.jsonl", "");
  const fs::path cwe = write("p/cwe.jsonl", kRight), fwe = write("p/fwe.jsonl", "");
  const auto warned = [&](const std::vector<fs::path>& files) {
    ::testing::internal::CaptureStderr();
    scored(score_ruler, files, {"vt", "cwe", "fwe"});
    const std::string said = ::testing::internal::GetCapturedStderr();
    return replace_all(said, folder_.path().string(), "ROOT");
  };
  constexpr const char* kEmpty = "no predictions; the official scorer calls that 0\n";
  EXPECT_EQ(warned({cwe}), "");
  EXPECT_EQ(warned({vt, more, cwe}), fmt::format("warning: ROOT/p/vt-0.jsonl: {}", kEmpty));
  EXPECT_EQ(warned({cwe, fwe}), fmt::format("warning: ROOT/p/fwe.jsonl: {}", kEmpty));
}

TEST_F(ScoreRules, ABadIdNamesItsOwnFile) {
  const fs::path vt = write("p/vt-0.jsonl", kRight);
  const fs::path more = write("p/vt-1.jsonl", R"({"index": {}, "pred": "AB", "outputs": ["AB"]})");
  EXPECT_EQ(refusal([&] {
              scored(score_ruler, {vt, more}, {"vt"});
            }),
            "ROOT/p/vt-1.jsonl, line 1: the sample's id is neither text nor a number");
}

TEST_F(ScoreRules, SetsWithoutAModelOrALengthKeepTheirFolders) {
  write("r/m1/synthetic/4096/pred/vt.jsonl", kRight);
  write("r/odd/vt.jsonl", kRight);
  write("r/odd/deep/vt.jsonl", kRight);
  EXPECT_EQ(scored(score_ruler, {folder_ / "r"}, {"vt"}), R"(
run ROOT/r
  tasks ruler/vt
  categories ruler/vt=tracing
  m1/4096/vt/0 | m1 |  | ruler/vt | 4096 | 0 | AB | [AB] | [] | string_match_all | 1 |
  ROOT/r/odd/0/vt/0 | ROOT/r/odd |  | ruler/vt | 0 | 0 | AB | [AB] | [] | string_match_all | 1 |
  ROOT/r/odd/deep/0/vt/0 | ROOT/r/odd/deep |  | ruler/vt | 0 | 0 | AB | [AB] | [] | string_match_all | 1 |
file averages.csv
model,lengths,average,weighted_increasing,weighted_decreasing,effective
ROOT/r/odd,0,0.00,0.00,0.00,
ROOT/r/odd/deep,0,0.00,0.00,0.00,
m1,4k,16.67,4.76,28.57,4K
file m1/4096/submission.csv
Task,ID,Prediction
vt,0,AB
file m1/4096/summary-vt.csv
0,1
Tasks,vt
Score,100.0
Nulls,0/1
file ROOT/r/odd/deep/submission.csv
Task,ID,Prediction
vt,0,AB
file ROOT/r/odd/deep/summary-vt.csv
0,1
Tasks,vt
Score,100.0
Nulls,0/1
file ROOT/r/odd/submission.csv
Task,ID,Prediction
vt,0,AB
file ROOT/r/odd/summary-vt.csv
0,1
Tasks,vt
Score,100.0
Nulls,0/1
)");
}

TEST_F(ScoreRules, WhatCannotBeListedSaysWhy) {
  const auto kind = [&](const fs::path& root) {
    try {
      find_ruler_predictions(root, std::vector<std::string>{"vt"});
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::kInvalidArgument;
  };
  EXPECT_EQ(kind(folder_ / "absent"), ErrorKind::kNotFound);
  EXPECT_EQ(kind(write("file", "")), ErrorKind::kIo);
}

TEST_F(ScoreRules, TheFirstOfNestedRepliesAndNumbersOnlyCount) {
  write("org__m/samples_a.jsonl",
        R"({"doc_id": 1, "doc": {}, "target": "x", "resps": [[["x", "y"], "z"], "w"], )"
        R"("metrics": ["f1", "acc"], "f1": "none", "acc": 0.5})"
        "\n");
  EXPECT_EQ(scored(score_lm_eval, {folder_.path()}), R"(
run ROOT
  tasks a
  org/m/a/none/1 | org/m |  | a | 0 | 1 | x | [x] | [] | acc | 0.5 |
  old org/m/a/none/1=0.5
)");
}

// Words are kept for the process: either they are missing, or another test has loaded some.
TEST_F(ScoreRules, ChineseSetsNeedTheirWords) {
  const std::string row = R"({"pred": "a", "answers": ["b"], "all_classes": null})";
  write("lb/dureader.jsonl", row + "\n");
  write("lb/vcsum.jsonl", row + "\n");
  write("org__m/samples_longbench_dureader.jsonl",
        R"({"doc_id": 1, "doc": {"answers": ["x"]}, "target": "x", "resps": [["x"]]})"
        "\n");
  const auto expect_asked = [&](Scored (*format)(const ScoreInput&), const char* folder, int sets) {
    const std::string text = scored(format, {folder_ / folder});
    const auto times = [&](std::string_view part) {
      return static_cast<int>(split(replace_all(text, part, "\f"), '\f').size()) - 1;
    };
    EXPECT_EQ(times(": " + datasets::missing_data("jieba") + ";") + times(" | rouge_zh | "), sets)
        << text;
  };
  expect_asked(score_longbench, "lb", 2);
  expect_asked(score_lm_eval, "org__m", 1);
}

}  // namespace
}  // namespace elastic::tasks
