// Which folders and files `score --format longbench` takes, and by which names it calls them.

#include <gtest/gtest.h>

#include <cmath>

#include "tasks/longbench/aggregate.h"
#include "tasks/scoring/longbench_predictions.h"
#include "tests/tasks/scored.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRight = "{\"pred\": \"b\", \"answers\": [\"b\"], \"all_classes\": null}\n";
constexpr const char* kWrong = "{\"pred\": \"a\", \"answers\": [\"b\"], \"all_classes\": null}\n";

class ScoreLongbenchFolders : public ScoreTest {
 protected:
  std::string score(std::vector<fs::path> paths, std::vector<std::string> tasks = {},
                    CodeSimilarity code = CodeSimilarity::kDifflib) const {
    return scored(score_longbench, std::move(paths), std::move(tasks), code);
  }
};

TEST_F(ScoreLongbenchFolders, TasksChooseFilesAndBenchmark) {
  write("a/m/qasper.jsonl", kRight);
  write("a/m/trec.jsonl", kRight);
  write("b/m/qasper.jsonl", kWrong);
  write("b/m/odd.jsonl", kWrong);
  write("a/m/musique.jsonl", "{}\n");
  EXPECT_EQ(score({folder_ / "a", folder_ / "b"}, {"longbench/qasper", "musique"}), R"(
run ROOT/a
  tasks longbench/qasper
  categories longbench/qasper=Single-Doc QA
  settings code_similarity=difflib
  ROOT/a/m/longbench/qasper/0 | ROOT/a/m |  | longbench/qasper | 0 | 0 | b | [b] | [] | qa_f1 | 1 | language=en
  ROOT/b/m/longbench/qasper/0 | ROOT/b/m |  | longbench/qasper | 0 | 0 | a | [b] | [] | qa_f1 | 0 | language=en
file ROOT/a/m/profiles.json
longbench-official, difflib
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 100.0 | 1
  category | Single-Doc QA |  | ours: unweighted mean of the category's unrounded set scores | 100.0 | 1
  overall |  |  | ours: unweighted mean of 1 sets | 100.0 | 1
  overall |  |  | ours: unweighted mean of 1 category means | 100.0 | 1
loom, difflib
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 100.0 | 1
  overall |  |  | sample-weighted mean of the rounded set scores, numpy rounding | 100.0 | 1
file ROOT/a/m/result.json
{
    "qasper": 100.0
}
file ROOT/b/m/profiles.json
longbench-official, difflib
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 0.0 | 1
  category | Single-Doc QA |  | ours: unweighted mean of the category's unrounded set scores | 0.0 | 1
  overall |  |  | ours: unweighted mean of 1 sets | 0.0 | 1
  overall |  |  | ours: unweighted mean of 1 category means | 0.0 | 1
loom, difflib
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 0.0 | 1
  overall |  |  | sample-weighted mean of the rounded set scores, numpy rounding | 0.0 | 1
file ROOT/b/m/result.json
{
    "qasper": 0.0
}
text
ROOT/a/m, longbench-official: category Single-Doc QA 100.00 (n = 1; ours: unweighted mean of the category's unrounded set scores)
ROOT/a/m, longbench-official: overall 100.00 (n = 1; ours: unweighted mean of 1 sets)
ROOT/a/m, longbench-official: overall 100.00 (n = 1; ours: unweighted mean of 1 category means)
ROOT/a/m, loom: overall 100.00 (n = 1; sample-weighted mean of the rounded set scores, numpy rounding)
ROOT/b/m, longbench-official: category Single-Doc QA 0.00 (n = 1; ours: unweighted mean of the category's unrounded set scores)
ROOT/b/m, longbench-official: overall 0.00 (n = 1; ours: unweighted mean of 1 sets)
ROOT/b/m, longbench-official: overall 0.00 (n = 1; ours: unweighted mean of 1 category means)
ROOT/b/m, loom: overall 0.00 (n = 1; sample-weighted mean of the rounded set scores, numpy rounding)
failure ROOT/a/m/musique.jsonl: ROOT/a/m/musique.jsonl, line 1: key `pred` is missing: not a LongBench prediction file
)");
  // A file that is named is what the task says; in a folder its name decides.
  const std::string wrong = R"(
  tasks longbench_e/qasper
  categories longbench_e/qasper=Single-Doc QA
  settings code_similarity=difflib
  m/longbench_e/qasper/0 | m |  | longbench_e/qasper | 0 | 0 | a | [b] | [] | qa_f1 | 0 | language=en
file profiles.json
longbench-e-official, difflib
  set | qasper | 0-4k | numpy mean of the bucket, numpy rounding | null | 0
  set | qasper | 4-8k | numpy mean of the bucket, numpy rounding | null | 0
  set | qasper | 8k+ | numpy mean of the bucket, numpy rounding | null | 0
elastic-paper, difflib
  set | qasper |  | mean of samples | 0.0 | 1
  category | Single-Doc QA |  | unweighted mean of the category's sets | 0.0 | 1
  overall |  |  | mean over all samples of 1 sets | 0.0 | 1
loom, difflib
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 0.0 | 1
  overall |  |  | sample-weighted mean of the rounded set scores, numpy rounding | 0.0 | 1
file result.json
{
    "qasper": {
        "0-4k": NaN,
        "4-8k": NaN,
        "8k+": NaN
    }
}
text
m, elastic-paper: category Single-Doc QA 0.00 (n = 1; unweighted mean of the category's sets)
m, elastic-paper: overall 0.00 (n = 1; mean over all samples of 1 sets)
m, loom: overall 0.00 (n = 1; sample-weighted mean of the rounded set scores, numpy rounding)
)";
  EXPECT_EQ(score({folder_ / "b/m/odd.jsonl"}, {"longbench_e/qasper"}),
            "\nrun ROOT/b/m/odd.jsonl" + wrong);
  EXPECT_EQ(
      score({folder_ / "b/m"}, {"longbench_e"}),
      "\nrun ROOT/b/m" + wrong +
          R"(failure ROOT/b/m/odd.jsonl: unknown LongBench set `odd`; known: narrativeqa, qasper, multifieldqa_en, multifieldqa_zh, hotpotqa, 2wikimqa, musique, dureader, gov_report, qmsum, multi_news, vcsum, trec, triviaqa, samsum, lsht, passage_count, passage_retrieval_en, passage_retrieval_zh, lcc, repobench-p
)");
  EXPECT_THROW(score({folder_ / "b/m"}, {"longbench/nq"}), Error);
  EXPECT_THROW(score({folder_ / "b/m"}, {"longbenches"}), Error);
}

TEST_F(ScoreLongbenchFolders, FoldersAreFoundByTheirFiles) {
  write("p/qasper.jsonl", kRight);
  write("p/deep/er/trec.old.jsonl", kRight);
  write("p/other/odd.jsonl", kRight);
  write("p/zz/pred/lcc.jsonl", kRight);
  std::string found;
  for (const LongbenchFolder& folder : find_longbench_predictions(folder_ / "p")) {
    found += fmt::format("{} {} {}:", folder.folder.string(), folder.model, folder.e);
    for (const LongbenchFile& file : folder.files)
      found += fmt::format(" {} {}", file.path.string(), file.set);
    found += "\n";
  }
  EXPECT_EQ("\n" + replace_all(found, folder_.path().string(), "ROOT"), R"(
ROOT/p p false: ROOT/p/qasper.jsonl qasper
ROOT/p/deep/er er false: ROOT/p/deep/er/trec.old.jsonl trec
ROOT/p/zz/pred zz false: ROOT/p/zz/pred/lcc.jsonl lcc
)");
  write("q/odd.jsonl", kRight);
  EXPECT_EQ(find_longbench_predictions(folder_ / "q").size(), 1u);
  write("r/s/odd.jsonl", kRight);
  try {
    find_longbench_predictions(folder_ / "r");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_EQ(error.what(),
              (folder_ / "r").string() +
                  ": no LongBench predictions (SET.jsonl, such as hotpotqa.jsonl) here or below");
  }
}

TEST_F(ScoreLongbenchFolders, TheSecondBenchmarkIsToldByThePath) {
  const std::pair<const char*, bool> rows[] = {
      {"/p/pred_e", true},          {"/p/pred_e/m", true},        {"/p/pred_e/m/x", true},
      {"/p/pred_e/m/x/y", false},   {"/p/pred", false},           {"/p/run-e/", true},
      {"/p/longbench_e_m", true},   {"/p/longbench-e-m/x", true}, {"/p/longbench_m", false},
      {"/p/xlongbench_e_m", false}, {"/p/longbench_em", false},   {"/", false}};
  for (const auto& [path, e] : rows) EXPECT_EQ(is_longbench_e(path), e) << path;
}

TEST(LongbenchProfiles, NothingOfNothing) {
  EXPECT_TRUE(longbench_profiles({}, false).empty());
  EXPECT_EQ(longbench_result_json({}, false), "{}");
  EXPECT_EQ(longbench_result_json({}, true), "{}");
}

// Lengths are paired with scores from the first on, though the second sample has none.
TEST(LongbenchProfiles, LengthsPairWithScoresAsUpstreamPairsThem) {
  const LongbenchSetScores set{"qasper", {1, 0.5, 0}, {10.0, std::nullopt, 9000.0}};
  const BucketScores buckets = longbench_e_score(set);
  EXPECT_EQ(buckets.n, (std::array<std::int64_t, 3>{1, 0, 1}));
  EXPECT_EQ(buckets.score[0], 100);
  EXPECT_TRUE(std::isnan(buckets.score[1]));
  EXPECT_EQ(buckets.score[2], 50);
  EXPECT_EQ(longbench_result_json(std::vector{set}, true),
            "{\n    \"qasper\": {\n        \"0-4k\": 100.0,\n        \"4-8k\": NaN,\n        "
            "\"8k+\": 50.0\n    }\n}");
}

}  // namespace
}  // namespace elastic::tasks
