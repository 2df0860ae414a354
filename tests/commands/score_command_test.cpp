// `elastic-bench score` as a user calls it.

#include <gtest/gtest.h>

#include <iostream>

#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/testing/folders.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

using testing::contains;
namespace fs = std::filesystem;

testing::ProgramResult score(const std::vector<fs::path>& arguments, const fs::path& output) {
  std::vector<std::string> words = {"score"};
  for (const fs::path& argument : arguments) words.push_back(argument.string());
  words.insert(words.end(), {"--output", output.string()});
  return testing::Program(ELASTIC_BENCH_BINARY, words).wait();
}

// Value of a column in the first row whose task and length agree.
std::string result(const fs::path& csv, std::string_view task, std::string_view length,
                   std::string_view column) {
  const auto rows = parse_csv(read_file(csv), csv.string());
  const auto at = [&](std::string_view name) {
    return std::find(rows[0].begin(), rows[0].end(), name) - rows[0].begin();
  };
  for (const auto& row : rows) {
    if (row[at("task")] == task && row[at("length")] == length) return row[at(column)];
  }
  return "no row";
}

void expect_official(const fs::path& folder) {
  const testing::TemporaryFolder out;
  const auto run = score({folder / "pred", "--format", "ruler"}, out / "scores");
  EXPECT_EQ(run.code, 0) << run.err;
  for (const char* name : {"summary.csv", "submission.csv"}) {
    EXPECT_EQ(read_file(out / "scores" / name), read_file(folder / "expected" / name)) << name;
  }
  for (const char* name : {"results.csv", "results.json", "scores.jsonl"}) {
    EXPECT_TRUE(fs::exists(out / "scores" / name)) << name;
  }
}

TEST(ScoreCommand, RulerFolderGivesTheOfficialFiles) {
  expect_official(testing::fixture("ruler_scorer"));
  const fs::path golden = testing::golden_folder("ruler");
  if (golden.empty() || !fs::exists(golden / "evaluate_e2e")) return;
  expect_official(golden / "evaluate_e2e");
}

TEST(ScoreCommand, ResultsAndScoresPerSample) {
  const testing::TemporaryFolder out;
  const fs::path folder = testing::fixture("ruler_scorer/pred");
  ASSERT_EQ(score({folder, "--format", "ruler"}, out.path()).code, 0);
  EXPECT_EQ(result(out / "results.csv", "ruler/niah_single_1", "", "value"), "50");
  EXPECT_EQ(result(out / "results.csv", "ruler/qa_2", "", "n"), "5");
  EXPECT_EQ(result(out / "results.csv", "ruler/qa_2", "", "metric"), "string_match_part");
  const std::string scores = read_file(out / "scores.jsonl");
  EXPECT_TRUE(
      contains(scores, R"({"key":"niah_single_1/0","metric":"string_match_all","score":1.0})"))
      << scores;
}

TEST(ScoreCommand, ModelAndLengthComeFromTheOfficialLayout) {
  const testing::TemporaryFolder folder;
  for (const char* length : {"4096", "8192"}) {
    testing::write_file(folder.path() / "m1/synthetic" / length / "pred/vt.jsonl",
                        R"({"index": 0, "pred": "ABC", "outputs": ["abc", "def"], "others": {}})");
    testing::write_file(folder.path() / "m1/synthetic" / length / "data/vt/validation.jsonl",
                        "{}\n");
  }
  const fs::path out = folder / "out";
  const auto run = score({folder / "m1", "--format", "ruler"}, out);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(result(out / "results.csv", "ruler/vt", "8192", "value"), "50");
  EXPECT_EQ(result(out / "results.csv", "ruler/vt", "8192", "model"), "m1");
  EXPECT_EQ(read_file(out / "m1/4096/summary-vt.csv"), "0,1\nTasks,vt\nScore,50.0\nNulls,0/1\n");
  EXPECT_TRUE(contains(read_file(out / "averages.csv"), "m1,4k 8k,16.67,7.14,26.19,<4K"))
      << read_file(out / "averages.csv");
}

TEST(ScoreCommand, SingleFileWithAndWithoutItsTask) {
  const testing::TemporaryFolder folder;
  const std::string row = R"({"index": 3, "pred": "no", "outputs": ["no", "x"], "others": {}})";
  testing::write_file(folder / "mine.jsonl", row + "\n");
  EXPECT_EQ(score({folder / "mine.jsonl", "--format", "ruler"}, folder / "a").code, 2);
  const auto run =
      score({folder / "mine.jsonl", "--format", "ruler", "--task", "ruler/qa_1"}, folder / "b");
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(contains(read_file(folder / "b/summary-qa_1.csv"), "Score,100.0"));
  EXPECT_TRUE(contains(read_file(folder / "b/submission.csv"), "qa_1,3,no"));
}

TEST(ScoreCommand, OwnRunsAreScoredAnew) {
  const testing::TemporaryFolder out;
  const fs::path run = testing::fixture("reports/run");
  const auto outcome = score({run, "--format", "elastic"}, out.path());
  // The fixture misses samples: a score over fewer than planned is said by the exit code.
  EXPECT_EQ(outcome.code, 4) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "differ from the stored ones")) << outcome.err;
  const std::string scores = read_file(out / "scores.jsonl");
  EXPECT_TRUE(contains(scores, "\"old_score\":")) << scores.substr(0, 300);
  EXPECT_TRUE(fs::exists(out / "results.csv"));
  // Which program ran the samples, and which scored them.
  const Json environment = read_json(out / "results.json")["runs"][0]["environment"];
  EXPECT_EQ(environment["build"], "elastic-bench 0.1.0");
  EXPECT_TRUE(
      contains(environment["scored_by"].get<std::string>(), "elastic-bench 0.1.0, commit "));
  EXPECT_TRUE(contains(outcome.err, "scored by elastic-bench")) << outcome.err;
}

// What a model's folder is called must not steer a terminal.
TEST(ScoreCommand, EscapesOfANameAreSpeltOut) {
  const testing::TemporaryFolder folder;
  const fs::path pred = folder / "\x1b[31mmodel/synthetic/4096/pred";
  testing::write_file(pred / "qa_1.jsonl",
                      R"({"index": 0, "pred": "yes", "input": "q", "outputs": ["yes"]})"
                      "\n");
  const auto run = score({folder / "\x1b[31mmodel", "--format", "ruler"}, folder / "out");
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_FALSE(contains(run.out + run.err, "\x1b"));
  EXPECT_TRUE(contains(read_file(folder / "out/results.csv"), "\\x1b[31mmodel"));
  const auto missing = score({folder / "\x1b[2Jabsent", "--format", "ruler"}, folder / "out");
  EXPECT_NE(missing.code, 0);
  EXPECT_FALSE(contains(missing.err, "\x1b"));
  EXPECT_TRUE(contains(missing.err, "\\x1b[2Jabsent")) << missing.err;
}

TEST(ScoreCommand, UsageErrors) {
  const testing::TemporaryFolder folder;
  const fs::path pred = testing::fixture("ruler_scorer/pred");
  const auto unknown = score({pred, "--format", "rouler"}, folder / "out");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_TRUE(contains(unknown.err, "did you mean `ruler`")) << unknown.err;
  EXPECT_TRUE(contains(unknown.err, "elastic")) << unknown.err;
  EXPECT_EQ(score({pred}, folder / "out").code, 2);
  EXPECT_EQ(score({folder / "absent", "--format", "elastic"}, folder / "out").code, 2);
  EXPECT_EQ(score({pred, "--format", "ruler", "--task", "vtt"}, folder / "out").code, 2);
  EXPECT_FALSE(fs::exists(folder / "out"));
}

struct BadFile {
  const char* name;
  std::string bytes;
  const char* expected;
};

TEST(ScoreCommand, MalformedPredictionsNameFileAndLine) {
  const std::string good = R"({"index": 0, "pred": "a", "outputs": ["a"], "others": {}})"
                           "\n";
  const BadFile rows[] = {
      {"broken JSON", good + "{\n" + good, "line 2"},
      {"torn", good + R"({"index": 1, "pre)", "cut off"},
      {"no pred", R"({"index": 0, "outputs": ["a"]})", "`pred` is missing"},
      {"pred is a list", R"({"index": 0, "pred": ["a"], "outputs": ["a"]})", "`pred` is no text"},
      {"no index", R"({"pred": "a", "outputs": ["a"]})", "`index` is missing"},
      {"empty outputs", R"({"index": 0, "pred": "a", "outputs": []})", "empty list"},
      {"outputs is text", R"({"index": 0, "pred": "a", "outputs": "a"})", "no list"},
      {"number in outputs", good + R"({"index": 0, "pred": "a", "outputs": [7]})", "no text"},
      {"null in outputs", good + R"({"index": 0, "pred": "a", "outputs": [null]})", "null"},
      {"others is a list", R"({"index": 0, "pred": "a", "outputs": ["a"], "others": []})",
       "no object"},
      {"id is an object", R"({"index": 0, "pred": "a", "outputs": ["a"], "others": {"id": {}}})",
       "neither"},
      {"invalid UTF-8", "{\"index\": 0, \"pred\": \"\xff\", \"outputs\": [\"a\"]}", "line 1"},
  };
  for (const BadFile& row : rows) {
    SCOPED_TRACE(row.name);
    const testing::TemporaryFolder folder;
    testing::write_file(folder / "pred/vt.jsonl", row.bytes);
    const auto run = score({folder / "pred", "--format", "ruler"}, folder / "out");
    EXPECT_EQ(run.code, 3) << run.err;
    EXPECT_TRUE(contains(run.err, row.expected)) << run.err;
    EXPECT_TRUE(contains(run.err, "vt.jsonl")) << run.err;
    EXPECT_FALSE(fs::exists(folder / "out"));
  }
}

TEST(ScoreCommand, NullFirstReferenceScoresNothing) {
  const testing::TemporaryFolder folder;
  testing::write_file(folder / "pred/vt.jsonl", R"({"index": 0, "pred": "a", "outputs": [null]})");
  const auto run = score({folder / "pred", "--format", "ruler"}, folder / "out");
  EXPECT_EQ(run.code, 4) << run.err;  // 0 of 1 samples have a score
  EXPECT_TRUE(contains(read_file(folder / "out/summary-vt.csv"), "Score,0.0\nNulls,0/1"));
}

}  // namespace
}  // namespace elastic
