// `score --format longbench` as a library: folders of both benchmarks, every number of every
// profile, a published result beside ours, and which files belong to what.

#include <gtest/gtest.h>

#include "tasks/longbench/aggregate.h"
#include "tasks/scoring/longbench_predictions.h"
#include "tests/tasks/scored.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

std::string row(const std::string& pred, const std::string& answer,
                const std::string& length = "") {
  return fmt::format(R"({{"pred": "{}", "answers": ["{}"], "all_classes": ["x", "y"]{}}})", pred,
                     answer, length.empty() ? "" : ", \"length\": " + length) +
         "\n";
}

class ScoreLongbench : public ScoreTest {
 protected:
  std::string score(std::vector<fs::path> paths, std::vector<std::string> tasks = {},
                    CodeSimilarity code = CodeSimilarity::kDifflib) const {
    return scored(score_longbench, std::move(paths), std::move(tasks), code);
  }
};

TEST_F(ScoreLongbench, OneFolderHasEveryProfile) {
  write("pred/m/qasper.jsonl",
        row("red hen", "red fox", "10") + row("a", "b", "4000") + row("b", "b"));
  write("pred/m/trec.jsonl", row("\\nx\\ny", "x") + row("y", "x"));
  write("pred/m/multifieldqa_en.jsonl", row("b", "b"));
  write("pred/m/notes.txt", "no predictions");
  EXPECT_EQ(score({folder_ / "pred/m"}), R"(
run ROOT/pred/m
  tasks longbench/multifieldqa_en longbench/qasper longbench/trec
  categories longbench/multifieldqa_en=Single-Doc QA longbench/qasper=Single-Doc QA longbench/trec=Few-shot Learning
  settings code_similarity=difflib
  m/longbench/multifieldqa_en/0 | m |  | longbench/multifieldqa_en | 0 | 0 | b | [b] | [] | qa_f1 | 1 | language=en
  m/longbench/qasper/0 | m |  | longbench/qasper | 0 | 0 | red hen | [red fox] | [] | qa_f1 | 0.5 | language=en length=0-4k
  m/longbench/qasper/1 | m |  | longbench/qasper | 0 | 1 | a | [b] | [] | qa_f1 | 0 | language=en length=4-8k
  m/longbench/qasper/2 | m |  | longbench/qasper | 0 | 2 | b | [b] | [] | qa_f1 | 1 | language=en
  m/longbench/trec/0 | m |  | longbench/trec | 0 | 0 | 
x
y | [x] | [] | classification | 1 | language=en
  m/longbench/trec/1 | m |  | longbench/trec | 0 | 1 | y | [x] | [] | classification | 0 | language=en
file profiles.json
longbench-official, difflib
  set | multifieldqa_en |  | 100 * sum / n, rounded to two decimals as Python does | 100.0 | 1
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 50.0 | 3
  set | trec |  | 100 * sum / n, rounded to two decimals as Python does | 50.0 | 2
  category | Single-Doc QA |  | ours: unweighted mean of the category's unrounded set scores | 75.0 | 4
  category | Few-shot Learning |  | ours: unweighted mean of the category's unrounded set scores | 50.0 | 2
  overall |  |  | ours: unweighted mean of 3 sets | 66.66666666666667 | 6
  overall |  |  | ours: unweighted mean of 2 category means | 62.5 | 6
loom, difflib
  set | multifieldqa_en |  | 100 * sum / n, rounded to two decimals as Python does | 100.0 | 1
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 50.0 | 3
  set | trec |  | 100 * sum / n, rounded to two decimals as Python does | 50.0 | 2
  overall |  |  | sample-weighted mean of the rounded set scores, numpy rounding | 58.33 | 6
file result.json
{
    "multifieldqa_en": 100.0,
    "qasper": 50.0,
    "trec": 50.0
}
text
m, longbench-official: category Single-Doc QA 75.00 (n = 4; ours: unweighted mean of the category's unrounded set scores)
m, longbench-official: category Few-shot Learning 50.00 (n = 2; ours: unweighted mean of the category's unrounded set scores)
m, longbench-official: overall 66.67 (n = 6; ours: unweighted mean of 3 sets)
m, longbench-official: overall 62.50 (n = 6; ours: unweighted mean of 2 category means)
m, loom: overall 58.33 (n = 6; sample-weighted mean of the rounded set scores, numpy rounding)
)");
}

TEST_F(ScoreLongbench, CodeIsScoredBothWaysAndHeldAgainstWhatWasPublished) {
  write("pred/m/lcc.jsonl", row("abcd", "bcdef"));
  write("pred/m/repobench-p.jsonl", row("1x2y3z4ccc", "ccc1p2q3r4"));
  write("pred/m/qasper.jsonl", row("b", "b") + row("a", "b"));
  write("pred/m/result.json", R"({"lcc": 67.0, "qasper": 50.0, "repobench-p": 40.0, "trec": 3})");
  EXPECT_EQ(score({folder_ / "pred/m"}), R"(
run ROOT/pred/m
  tasks longbench/lcc longbench/qasper longbench/repobench-p
  categories longbench/lcc=Code longbench/qasper=Single-Doc QA longbench/repobench-p=Code
  settings code_similarity=difflib
  m/longbench/lcc/0 | m |  | longbench/lcc | 0 | 0 | abcd | [bcdef] | [] | code_sim_difflib | 0.67 | language=code
  m/longbench/qasper/0 | m |  | longbench/qasper | 0 | 0 | b | [b] | [] | qa_f1 | 1 | language=en
  m/longbench/qasper/1 | m |  | longbench/qasper | 0 | 1 | a | [b] | [] | qa_f1 | 0 | language=en
  m/longbench/repobench-p/0 | m |  | longbench/repobench-p | 0 | 0 | 1x2y3z4ccc | [ccc1p2q3r4] | [] | code_sim_difflib | 0.3 | language=code
file profiles.json
longbench-official, difflib
  set | lcc |  | 100 * sum / n, rounded to two decimals as Python does | 67.0 | 1
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 50.0 | 2
  set | repobench-p |  | 100 * sum / n, rounded to two decimals as Python does | 30.0 | 1
  category | Single-Doc QA |  | ours: unweighted mean of the category's unrounded set scores | 50.0 | 2
  category | Code |  | ours: unweighted mean of the category's unrounded set scores | 48.5 | 2
  overall |  |  | ours: unweighted mean of 3 sets | 49.0 | 4
  overall |  |  | ours: unweighted mean of 2 category means | 49.25 | 4
loom, difflib
  set | lcc |  | 100 * sum / n, rounded to two decimals as Python does | 67.0 | 1
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 50.0 | 2
  set | repobench-p |  | 100 * sum / n, rounded to two decimals as Python does | 30.0 | 1
  overall |  |  | sample-weighted mean of the rounded set scores, numpy rounding | 49.25 | 4
longbench-official, indel
  set | lcc |  | 100 * sum / n, rounded to two decimals as Python does | 67.0 | 1
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 50.0 | 2
  set | repobench-p |  | 100 * sum / n, rounded to two decimals as Python does | 40.0 | 1
  category | Single-Doc QA |  | ours: unweighted mean of the category's unrounded set scores | 50.0 | 2
  category | Code |  | ours: unweighted mean of the category's unrounded set scores | 53.5 | 2
  overall |  |  | ours: unweighted mean of 3 sets | 52.333333333333336 | 4
  overall |  |  | ours: unweighted mean of 2 category means | 51.75 | 4
loom, indel
  set | lcc |  | 100 * sum / n, rounded to two decimals as Python does | 67.0 | 1
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 50.0 | 2
  set | repobench-p |  | 100 * sum / n, rounded to two decimals as Python does | 40.0 | 1
  overall |  |  | sample-weighted mean of the rounded set scores, numpy rounding | 51.75 | 4
file published.json
{
  "lcc": {
    "published": 67.0,
    "difflib": 67.0,
    "indel": 67.0
  },
  "qasper": {
    "published": 50.0,
    "difflib": 50.0
  },
  "repobench-p": {
    "published": 40.0,
    "difflib": 30.0,
    "indel": 40.0
  }
}
file result.json
{
    "lcc": 67.0,
    "qasper": 50.0,
    "repobench-p": 30.0
}
file result_indel.json
{
    "lcc": 67.0,
    "qasper": 50.0,
    "repobench-p": 40.0
}
text
m, longbench-official: category Single-Doc QA 50.00 (n = 2; ours: unweighted mean of the category's unrounded set scores)
m, longbench-official: category Code 48.50 (n = 2; ours: unweighted mean of the category's unrounded set scores)
m, longbench-official: overall 49.00 (n = 4; ours: unweighted mean of 3 sets)
m, longbench-official: overall 49.25 (n = 4; ours: unweighted mean of 2 category means)
m, loom: overall 49.25 (n = 4; sample-weighted mean of the rounded set scores, numpy rounding)
m, published result.json: 2 of 3 sets equal with code similarity difflib, 1 more with indel
)");
  write("pred/m/result.json", R"({"lcc": NaN, "qasper": 49.0})");
  EXPECT_EQ(score({folder_ / "pred/m/lcc.jsonl", folder_ / "pred/m/qasper.jsonl"}, {},
                  CodeSimilarity::kIndel),
            R"(
run ROOT/pred/m/lcc.jsonl
  tasks longbench/lcc longbench/qasper
  categories longbench/lcc=Code longbench/qasper=Single-Doc QA
  settings code_similarity=indel
  ROOT/pred/m/longbench/lcc/0 | ROOT/pred/m |  | longbench/lcc | 0 | 0 | abcd | [bcdef] | [] | code_sim_indel | 0.67 | language=code
  ROOT/pred/m/longbench/qasper/0 | ROOT/pred/m |  | longbench/qasper | 0 | 0 | b | [b] | [] | qa_f1 | 1 | language=en
  ROOT/pred/m/longbench/qasper/1 | ROOT/pred/m |  | longbench/qasper | 0 | 1 | a | [b] | [] | qa_f1 | 0 | language=en
file ROOT/pred/m/profiles.json
longbench-official, indel
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 50.0 | 2
  category | Single-Doc QA |  | ours: unweighted mean of the category's unrounded set scores | 50.0 | 2
  overall |  |  | ours: unweighted mean of 1 sets | 50.0 | 2
  overall |  |  | ours: unweighted mean of 1 category means | 50.0 | 2
loom, indel
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 50.0 | 2
  overall |  |  | sample-weighted mean of the rounded set scores, numpy rounding | 50.0 | 2
file ROOT/pred/m/published.json
{
  "qasper": {
    "published": 49.0,
    "indel": 50.0
  }
}
file ROOT/pred/m/result.json
{
    "qasper": 50.0
}
file ROOT/pred/m/result_difflib.json
{
    "lcc": 67.0
}
text
ROOT/pred/m, longbench-official: category Code 67.00 (n = 1; ours: unweighted mean of the category's unrounded set scores)
ROOT/pred/m, longbench-official: overall 67.00 (n = 1; ours: unweighted mean of 1 sets)
ROOT/pred/m, longbench-official: overall 67.00 (n = 1; ours: unweighted mean of 1 category means)
ROOT/pred/m, loom: overall 67.00 (n = 1; sample-weighted mean of the rounded set scores, numpy rounding)
ROOT/pred/m, published result.json: 0 of 1 sets equal with code similarity indel
ROOT/pred/m, longbench-official: category Single-Doc QA 50.00 (n = 2; ours: unweighted mean of the category's unrounded set scores)
ROOT/pred/m, longbench-official: overall 50.00 (n = 2; ours: unweighted mean of 1 sets)
ROOT/pred/m, longbench-official: overall 50.00 (n = 2; ours: unweighted mean of 1 category means)
ROOT/pred/m, loom: overall 50.00 (n = 2; sample-weighted mean of the rounded set scores, numpy rounding)
ROOT/pred/m, published result.json: 0 of 1 sets equal with code similarity indel
)");
}

TEST_F(ScoreLongbench, LengthsDecideInTheSecondBenchmark) {
  write("pred_e/m/qasper.jsonl", row("b", "b", "3999") + row("a", "b", "4000") +
                                     row("b", "b", "7999.5") + row("b", "b", "8000"));
  write("pred_e/m/2wikimqa.jsonl", row("b", "b", "1"));
  write("pred_e/m/lcc.jsonl", row("abcd", "bcdef", "5000"));
  EXPECT_EQ(score({folder_ / "pred_e"}), R"(
run ROOT/pred_e
  tasks longbench_e/2wikimqa longbench_e/lcc longbench_e/qasper
  categories longbench_e/2wikimqa=Multi-Doc QA longbench_e/lcc=Code longbench_e/qasper=Single-Doc QA
  settings code_similarity=difflib
  m/longbench_e/2wikimqa/0 | m |  | longbench_e/2wikimqa | 0 | 0 | b | [b] | [] | qa_f1 | 1 | language=en length=0-4k
  m/longbench_e/lcc/0 | m |  | longbench_e/lcc | 0 | 0 | abcd | [bcdef] | [] | code_sim_difflib | 0.67 | language=code length=4-8k
  m/longbench_e/qasper/0 | m |  | longbench_e/qasper | 0 | 0 | b | [b] | [] | qa_f1 | 1 | language=en length=0-4k
  m/longbench_e/qasper/1 | m |  | longbench_e/qasper | 0 | 1 | a | [b] | [] | qa_f1 | 0 | language=en length=4-8k
  m/longbench_e/qasper/2 | m |  | longbench_e/qasper | 0 | 2 | b | [b] | [] | qa_f1 | 1 | language=en length=4-8k
  m/longbench_e/qasper/3 | m |  | longbench_e/qasper | 0 | 3 | b | [b] | [] | qa_f1 | 1 | language=en length=8k+
file profiles.json
longbench-e-official, difflib, indel
  set | 2wikimqa | 0-4k | numpy mean of the bucket, numpy rounding | 100.0 | 1
  set | 2wikimqa | 4-8k | numpy mean of the bucket, numpy rounding | null | 0
  set | 2wikimqa | 8k+ | numpy mean of the bucket, numpy rounding | null | 0
  set | lcc | 0-4k | numpy mean of the bucket, numpy rounding | null | 0
  set | lcc | 4-8k | numpy mean of the bucket, numpy rounding | 67.0 | 1
  set | lcc | 8k+ | numpy mean of the bucket, numpy rounding | null | 0
  set | qasper | 0-4k | numpy mean of the bucket, numpy rounding | 100.0 | 1
  set | qasper | 4-8k | numpy mean of the bucket, numpy rounding | 50.0 | 2
  set | qasper | 8k+ | numpy mean of the bucket, numpy rounding | 100.0 | 1
elastic-paper, difflib, indel
  set | 2wikimqa |  | mean of samples | 100.0 | 1
  set | lcc |  | mean of samples | 67.0 | 1
  set | qasper |  | mean of samples | 75.0 | 4
  category | Single-Doc QA |  | unweighted mean of the category's sets | 75.0 | 4
  category | Multi-Doc QA |  | unweighted mean of the category's sets | 100.0 | 1
  category | Code |  | unweighted mean of the category's sets | 67.0 | 1
  overall |  |  | mean over all samples of 3 sets | 77.83333333333333 | 6
loom, difflib, indel
  set | 2wikimqa |  | 100 * sum / n, rounded to two decimals as Python does | 100.0 | 1
  set | lcc |  | 100 * sum / n, rounded to two decimals as Python does | 67.0 | 1
  set | qasper |  | 100 * sum / n, rounded to two decimals as Python does | 75.0 | 4
  overall |  |  | sample-weighted mean of the rounded set scores, numpy rounding | 77.83 | 6
file result.json, result_indel.json
{
    "2wikimqa": {
        "0-4k": 100.0,
        "4-8k": NaN,
        "8k+": NaN
    },
    "lcc": {
        "0-4k": NaN,
        "4-8k": 67.0,
        "8k+": NaN
    },
    "qasper": {
        "0-4k": 100.0,
        "4-8k": 50.0,
        "8k+": 100.0
    }
}
text
m, elastic-paper: category Single-Doc QA 75.00 (n = 4; unweighted mean of the category's sets)
m, elastic-paper: category Multi-Doc QA 100.00 (n = 1; unweighted mean of the category's sets)
m, elastic-paper: category Code 67.00 (n = 1; unweighted mean of the category's sets)
m, elastic-paper: overall 77.83 (n = 6; mean over all samples of 3 sets)
m, loom: overall 77.83 (n = 6; sample-weighted mean of the rounded set scores, numpy rounding)
)");
}

}  // namespace
}  // namespace elastic::tasks
