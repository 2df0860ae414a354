// `score --format ruler` as a library: which files are found, how sets are told apart, every number
// of the official files and of the averages.

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "tasks/scoring/ruler_predictions.h"
#include "tasks/scoring/ruler_scores.h"
#include "tests/tasks/scored.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

std::string line(int index, const std::string& prediction, const std::string& outputs) {
  return fmt::format(R"({{"index": {}, "pred": "{}", "outputs": {}}})", index, prediction,
                     outputs) +
         "\n";
}

class ScoreRuler : public ScoreTest {
 protected:
  std::string score(std::vector<fs::path> paths, std::vector<std::string> tasks = {}) const {
    return scored(score_ruler, std::move(paths), std::move(tasks));
  }
  std::string refused(const std::vector<fs::path>& paths,
                      const std::vector<std::string>& tasks = {}) const {
    return refusal([&] { score(paths, tasks); });
  }
};

TEST_F(ScoreRuler, OneFolderWritesTheOfficialFiles) {
  write("pred/vt.jsonl",
        line(3, "AB and CD", R"(["AB", "CD"])") + line(4, "AB", R"(["AB", "XY"])"));
  write("pred/qa_1.jsonl", line(7, "", R"(["x"])") + line(8, "a y", R"(["x", "y"])"));
  write("pred/named_otherwise.jsonl", line(0, "AB", R"(["AB"])"));
  write("pred/empty/cwe.jsonl", "");
  EXPECT_EQ(score({folder_ / "pred"}, {"ruler/vt", "qa_1"}), R"(
run ROOT/pred
  tasks ruler/vt ruler/qa_1
  categories ruler/qa_1=qa ruler/vt=tracing
  vt/0 |  |  | ruler/vt | 0 | 0 | AB and CD | [AB, CD] | [] | string_match_all | 1 |
  vt/1 |  |  | ruler/vt | 0 | 1 | AB | [AB, XY] | [] | string_match_all | 0.5 |
  qa_1/0 |  |  | ruler/qa_1 | 0 | 0 |  | [x] | [] | string_match_part | 0 |
  qa_1/1 |  |  | ruler/qa_1 | 0 | 1 | a y | [x, y] | [] | string_match_part | 1 |
file submission.csv
Task,ID,Prediction
vt,3,AB and CD
vt,4,AB
qa_1,7,
qa_1,8,a y
file summary.csv
0,1,2
Tasks,vt,qa_1
Score,75.0,50.0
Nulls,0/2,1/2
)");
  EXPECT_EQ(score({folder_ / "pred/vt.jsonl"}, {"vt", "cwe"}), R"(
run ROOT/pred/vt.jsonl
  tasks ruler/vt ruler/cwe
  categories ruler/cwe=aggregation ruler/vt=tracing
  vt/0 |  |  | ruler/vt | 0 | 0 | AB and CD | [AB, CD] | [] | string_match_all | 1 |
  vt/1 |  |  | ruler/vt | 0 | 1 | AB | [AB, XY] | [] | string_match_all | 0.5 |
file submission.csv
Task,ID,Prediction
vt,3,AB and CD
vt,4,AB
file summary-vt.csv
0,1
Tasks,vt
Score,75.0
Nulls,0/2
)");
  EXPECT_EQ(score({folder_ / "pred/named_otherwise.jsonl"}, {"vt"}), R"(
run ROOT/pred/named_otherwise.jsonl
  tasks ruler/vt
  categories ruler/vt=tracing
  vt/0 |  |  | ruler/vt | 0 | 0 | AB | [AB] | [] | string_match_all | 1 |
file submission.csv
Task,ID,Prediction
vt,0,AB
file summary-vt.csv
0,1
Tasks,vt
Score,100.0
Nulls,0/1
)");
}

TEST_F(ScoreRuler, SetsOfModelsAndLengthsStayApart) {
  for (const auto& [model, length, prediction] :
       {std::tuple("m1", 4096, "AB"), {"m1", 8192, "AB"}, {"m2", 4096, "no"}}) {
    write(fmt::format("r/{}/synthetic/{}/pred/vt.jsonl", model, length),
          line(0, prediction, R"(["AB"])"));
  }
  EXPECT_EQ(score({folder_ / "r"}, {"vt"}), R"(
run ROOT/r
  tasks ruler/vt
  categories ruler/vt=tracing
  m1/4096/vt/0 | m1 |  | ruler/vt | 4096 | 0 | AB | [AB] | [] | string_match_all | 1 |
  m1/8192/vt/0 | m1 |  | ruler/vt | 8192 | 0 | AB | [AB] | [] | string_match_all | 1 |
  m2/4096/vt/0 | m2 |  | ruler/vt | 4096 | 0 | no | [AB] | [] | string_match_all | 0 |
file averages.csv
model,lengths,average,weighted_increasing,weighted_decreasing,effective
m1,4k 8k,33.33,14.29,52.38,8K
m2,4k,0.00,0.00,0.00,<4K
file m1/4096/submission.csv
Task,ID,Prediction
vt,0,AB
file m1/4096/summary-vt.csv
0,1
Tasks,vt
Score,100.0
Nulls,0/1
file m1/8192/submission.csv
Task,ID,Prediction
vt,0,AB
file m1/8192/summary-vt.csv
0,1
Tasks,vt
Score,100.0
Nulls,0/1
file m2/4096/submission.csv
Task,ID,Prediction
vt,0,no
file m2/4096/summary-vt.csv
0,1
Tasks,vt
Score,0.0
Nulls,0/1
)");
  write("x/vt.jsonl", line(0, "AB", R"(["AB"])"));
  write("y/vt.jsonl", line(0, "", R"(["AB"])"));
  EXPECT_EQ(score({folder_ / "x", folder_ / "y/vt.jsonl"}, {"vt"}), R"(
run ROOT/x
  tasks ruler/vt
  categories ruler/vt=tracing
  ROOT/x/0/vt/0 | ROOT/x |  | ruler/vt | 0 | 0 | AB | [AB] | [] | string_match_all | 1 |
  ROOT/y/0/vt/0 | ROOT/y |  | ruler/vt | 0 | 0 |  | [AB] | [] | string_match_all | 0 |
file averages.csv
model,lengths,average,weighted_increasing,weighted_decreasing,effective
ROOT/x,0,0.00,0.00,0.00,
ROOT/y,0,0.00,0.00,0.00,
file ROOT/x/submission.csv
Task,ID,Prediction
vt,0,AB
file ROOT/x/summary-vt.csv
0,1
Tasks,vt
Score,100.0
Nulls,0/1
file ROOT/y/submission.csv
Task,ID,Prediction
vt,0,
file ROOT/y/summary-vt.csv
0,1
Tasks,vt
Score,0.0
Nulls,1/1
)");
}

TEST_F(ScoreRuler, FilesOfOneFolderAreOneSet) {
  const fs::path vt = write("p/vt-0.jsonl", line(0, "AB", R"(["AB"])"));
  const fs::path more = write("p/vt-1.jsonl", line(1, "AB", R"(["XY"])"));
  const fs::path cwe = write("p/cwe.jsonl", line(0, "a", R"(["a"])"));
  EXPECT_EQ(score({vt, cwe, more}, {"vt", "cwe"}), R"(
run ROOT/p/vt-0.jsonl
  tasks ruler/vt ruler/cwe
  categories ruler/cwe=aggregation ruler/vt=tracing
  vt/0 |  |  | ruler/vt | 0 | 0 | AB | [AB] | [] | string_match_all | 1 |
  vt/1 |  |  | ruler/vt | 0 | 1 | AB | [XY] | [] | string_match_all | 0 |
  cwe/0 |  |  | ruler/cwe | 0 | 0 | a | [a] | [] | string_match_all | 1 |
file submission.csv
Task,ID,Prediction
vt,0,AB
vt,1,AB
cwe,0,a
file summary.csv
0,1,2
Tasks,vt,cwe
Score,50.0,100.0
Nulls,0/2,0/1
)");
}

TEST_F(ScoreRuler, RefusalsSayWhatIsMissing) {
  write("none/a.txt", "");
  write("odd.jsonl", line(0, "AB", R"(["AB"])"));
  EXPECT_EQ(refused({folder_ / "none"}, {"vt", "cwe"}),
            "ROOT/none: no RULER prediction files in or below it; expected TASK.jsonl with TASK "
            "one of vt, cwe");
  EXPECT_EQ(refused({folder_ / "odd.jsonl"}),
            "ROOT/odd.jsonl: the name says no RULER task; add --task NAME");
  EXPECT_EQ(refused({folder_ / "odd.jsonl"}, {"vtt"}),
            "unknown RULER task `vtt`; did you mean `vt`? known: niah_single_1, niah_single_2, "
            "niah_single_3, niah_multikey_1, niah_multikey_2, niah_multikey_3, niah_multivalue, "
            "niah_multiquery, vt, cwe, fwe, qa_1, qa_2");
  EXPECT_EQ(refused({folder_ / "odd.jsonl"}, {"vt", "cwe"}),
            "ROOT/odd.jsonl: the name says no RULER task; add --task NAME");
}

struct Named {
  const char* file;
  const char* task;
};

TEST_F(ScoreRuler, TasksAreReadFromFileNames) {
  const Named rows[] = {{"vt.jsonl", "vt"},       {"vt-12.jsonl", "vt"},
                        {"vt-.jsonl", "vt-"},     {"vt-1a.jsonl", "vt-1a"},
                        {"vt_-1.jsonl", "vt_-1"}, {"-1.jsonl", "-1"},
                        {"v-1-2.jsonl", "v-1"},   {"vt.json", ""},
                        {"v-1.jsonl", "v"},       {"vt-0123456789.jsonl", "vt"}};
  for (const auto& [file, task] : rows) EXPECT_EQ(ruler_task_of_file(file), task) << file;
}

TEST_F(ScoreRuler, ModelAndLengthAreReadFromPaths) {
  const std::tuple<const char*, const char*, std::int64_t> rows[] = {
      {"/a/m/synthetic/4096/pred/vt.jsonl", "m", 4096},
      {"/a/m/synthetic/4096/vt.jsonl", "m", 4096},
      {"/a/m/other/1/pred/vt.jsonl", "", 1},
      {"/a/m/synthetic/0/pred/vt.jsonl", "", 0},
      {"/a/m/synthetic/-4/pred/vt.jsonl", "", 0},
      {"/a/m/synthetic/4k/pred/vt.jsonl", "", 0},
      {"/a/m/synthetic/4096/preds/vt.jsonl", "", 0},
      {"/vt.jsonl", "", 0}};
  for (const auto& [file, model, length] : rows) {
    const RulerPredictionSet set = ruler_prediction_file(file, "vt");
    EXPECT_EQ(set.model, model) << file;
    EXPECT_EQ(set.length, length) << file;
    EXPECT_EQ(set.files.at("vt"), std::vector<fs::path>{file});
  }
  EXPECT_EQ(ruler_prediction_file("vt.jsonl", "vt").folder, ".");
}

std::string ids_of(const fs::path& file) {
  std::string ids;
  for (const RulerPrediction& p : read_ruler_predictions(std::vector<fs::path>{file})) {
    ids += p.id + "|";
  }
  return ids;
}

// As pandas writes a column: whole numbers turn into floats beside a missing or a real one, and
// not beside a text.
TEST_F(ScoreRuler, IdsAreWrittenAsPandasWritesThem) {
  const auto rows = [](const std::vector<std::string>& ids) {
    std::string text;
    for (const std::string& id : ids) {
      text += fmt::format(
                  R"({{"others": {{"id": {}}}, "index": 9, "pred": "a", "outputs": ["a"]}})", id) +
              "\n";
    }
    return text;
  };
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"1", "2"}, "1|2|"},
      {{"1", "null"}, "1.0||"},
      {{"1", "2.5"}, "1.0|2.5|"},
      {{"1", "null", "\"a\""}, "1||a|"},
      {{"true", "false", "3"}, "True|False|3|"},
      {{"1.5", "\"a\"", "2"}, "1.5|a|2|"}};
  for (const auto& [ids, expected] : cases)
    EXPECT_EQ(ids_of(write("ids.jsonl", rows(ids))), expected);
  EXPECT_EQ(ids_of(write("ids.jsonl", R"({"others": null, "index": 4, "pred": null, "output": "a"})"
                                      "\n"
                                      R"({"others": {}, "index": 5, "pred": "a", "outputs": ["a"]})"
                                      "\n")),
            "4|5|");
}

TEST_F(ScoreRuler, MalformedPredictionsNameFileLineAndKey) {
  const std::pair<const char*, const char*> rows[] = {
      {R"({"index": 1, "outputs": ["a"]})",
       "line 1: key `pred` is missing: not a RULER prediction file"},
      {R"({"index": 1, "pred": 3, "outputs": ["a"]})", "line 1: key `pred` is no text"},
      {R"({"index": 1, "pred": "a", "outputs": "a"})", "line 1: key `outputs` is no list"},
      {R"({"index": 1, "pred": "a", "outputs": []})",
       "line 1: key `outputs` is an empty list: nothing to score against"},
      {R"({"index": 1, "pred": "a", "outputs": ["a", 2]})",
       "line 1: key `outputs` holds something that is no text"},
      {R"({"index": 1, "pred": "a", "outputs": ["a", null]})",
       "line 1: key `outputs` holds something that is no text"},
      {R"({"index": 1, "pred": "a", "outputs": [null, 2]})",
       "line 1: key `outputs` holds something that is no text"},
      {R"({"pred": "a", "outputs": ["a"]})", "line 1: key `index` is missing"},
      {R"({"others": 3, "index": 1, "pred": "a", "outputs": ["a"]})",
       "line 1: key `others` is no object"},
      {R"({"index": [1], "pred": "a", "outputs": ["a"]})",
       "line 1: the sample's id is neither text nor a number"}};
  for (const auto& [bytes, expected] : rows) {
    const fs::path file = write("bad.jsonl", std::string(bytes) + "\n");
    try {
      ids_of(file);
      ADD_FAILURE() << bytes;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), fmt::format("{}, {}", file.string(), expected));
    }
  }
}

// Upstream scores a whole task 0 where its first line has no reference; later lines may not.
TEST_F(ScoreRuler, ATaskWithoutReferencesScoresNothing) {
  const std::string without = line(0, "a", "[null]"), with = line(1, "a", R"(["a"])");
  const auto read = [&](const std::string& bytes) {
    return read_ruler_predictions(std::vector<fs::path>{write("vt.jsonl", bytes)});
  };
  const RulerTaskResult result = score_ruler_task("vt", "string_match_all", read(without + with));
  EXPECT_EQ(result.score, 0);
  EXPECT_EQ(result.sample_scores, (std::vector<std::optional<double>>(2)));
  EXPECT_EQ(read(without + with)[0].references.size(), 0u);
  EXPECT_THROW(read(with + without), Error);
  EXPECT_EQ(read(line(0, "a", R"([null, "b"])"))[0].references, std::vector<std::string>{"b"});
}

// Scores that share no factor with the weights, and one of the six lengths missing.
TEST(RulerSummary, AveragesAreThoseOfTheReadme) {
  const RulerAverages averages =
      ruler_averages({{1000, 50}, {4096, 10}, {8192, 20}, {16384, 40}, {65536, 80}, {131072, 90}});
  EXPECT_DOUBLE_EQ(averages.average, 240.0 / 6);
  EXPECT_DOUBLE_EQ(averages.weighted_increasing, (10 + 2 * 20 + 3 * 40 + 5 * 80 + 6 * 90) / 21.0);
  EXPECT_DOUBLE_EQ(averages.weighted_decreasing, (6 * 10 + 5 * 20 + 4 * 40 + 2 * 80 + 90) / 21.0);
  EXPECT_EQ(ruler_length_score({}), 0);
  EXPECT_EQ(ruler_length_score(std::vector<double>{10, 25}), 17.5);
}

}  // namespace
}  // namespace elastic::tasks
