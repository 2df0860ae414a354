// LongBench through the program: scoring of foreign predictions, comparing runs, previews.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/testing/folders.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;
using testing::ProgramResult;
using testing::TemporaryFolder;

ProgramResult program(const std::vector<std::string>& words) {
  return testing::Program(ELASTIC_BENCH_BINARY, words, {{"http_proxy", "http://127.0.0.1:9"}})
      .wait();
}

std::string prediction(std::string_view pred, std::string_view answer, int length) {
  return dump_line({{"pred", pred},
                    {"answers", Json::array({answer})},
                    {"all_classes", nullptr},
                    {"length", length}}) +
         "\n";
}

TEST(LongbenchCommand, ScoresAPredictionFolder) {
  const TemporaryFolder folder;
  const fs::path pred = folder / "pred/model-a";
  testing::write_file(pred / "hotpotqa.jsonl",
                      prediction("Paris", "paris", 10) + prediction("x", "y", 9000));
  testing::write_file(pred / "lcc.jsonl", prediction("return a+b", "return a + b", 5));
  testing::write_file(pred / "result.json", "{\"hotpotqa\": 50.0, \"lcc\": NaN}");
  const auto run = program({"score", (folder / "pred").string(), "--format", "longbench",
                            "--output", (folder / "out").string()});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(run.says("published result.json: 1 of 2 sets equal")) << run.out;
  const Json result = read_json(folder / "out/result.json");
  EXPECT_EQ(result.at("hotpotqa"), 50.0);
  EXPECT_TRUE(fs::exists(folder / "out/result_indel.json"));
  const Json profiles = read_json(folder / "out/profiles.json");
  EXPECT_EQ(profiles.at(0).at("profile"), "longbench-official");
  EXPECT_EQ(profiles.at(0).at("code_similarity"), "difflib");
  EXPECT_FALSE(profiles.at(0).at("numbers").at(0).at("rule").get<std::string>().empty());
}

TEST(LongbenchCommand, ScoresLongbenchEInBuckets) {
  const TemporaryFolder folder;
  testing::write_file(
      folder / "pred_e/m/trec.jsonl",
      "{\"pred\": \"sea\", \"answers\": [\"sea\"], \"all_classes\": [\"sea\"], \"length\": 1}\n");
  const auto run = program({"score", (folder / "pred_e").string(), "--format", "longbench",
                            "--output", (folder / "out").string()});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(read_file(folder / "out/result.json"),
            "{\n    \"trec\": {\n        \"0-4k\": 100.0,\n        \"4-8k\": NaN,\n        "
            "\"8k+\": NaN\n    }\n}");
}

TEST(LongbenchCommand, SaysWhatCouldNotBeScored) {
  const TemporaryFolder folder;
  testing::write_file(folder / "m/hotpotqa.jsonl", prediction("Paris", "paris", 10));
  testing::write_file(folder / "m/qasper.jsonl", "{\"pred\": 1}\n");
  const auto some = program({"score", (folder / "m").string(), "--format", "longbench", "--output",
                             (folder / "out").string()});
  EXPECT_EQ(some.code, 4);
  EXPECT_TRUE(some.says("qasper.jsonl, line 1: key `pred` is no text")) << some.err;
  const auto none = program({"score", (folder / "m/qasper.jsonl").string(), "--format", "longbench",
                             "--output", (folder / "none").string()});
  EXPECT_EQ(none.code, 3);
  const auto unknown = program({"score", (folder / "m").string(), "--format", "longbench", "--task",
                                "hotpot", "--output", (folder / "x").string()});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_TRUE(unknown.says("hotpotqa"));
}

TEST(LongbenchCommand, ScoresV2WithErrorsCounted) {
  const TemporaryFolder folder;
  const auto row = [](std::string_view difficulty, bool judge) {
    return fmt::format(R"({{"_id": "{}{}", "difficulty": "{}", "length": "short", "pred": {}, )"
                       R"("judge": {}}})",
                       difficulty, judge, difficulty, judge ? "\"A\"" : "null", judge) +
           "\n";
  };
  testing::write_file(folder / "m.v1.jsonl", row("easy", true) + row("hard", false) +
                                                 row("hard", true) +
                                                 "{\"_id\": \"e\", \"error\": \"too long\"}\n");
  const auto run = program({"score", (folder / "m.v1.jsonl").string(), "--format", "longbench-v2",
                            "--output", (folder / "out").string()});
  EXPECT_EQ(run.code, 4) << run.err;
  EXPECT_EQ(read_file(folder / "out/result.txt"),
            "Model\tOverall\tEasy\tHard\tShort\tMedium\tLong\tErrors\n"
            "m.v1\t66.7\t100.0\t50.0\t66.7\tnone\tnone\t1");
  EXPECT_TRUE(read_file(folder / "out/result_compensated.txt").find("75.0") != std::string::npos);
}

TEST(LongbenchCommand, ScoresLmEvalLogs) {
  const TemporaryFolder folder;
  testing::write_file(
      folder / "org__m/samples_longbench_trec_2025-01-31T10-00-00.1.jsonl",
      R"({"doc_id": 0, "doc": {"answers": ["sea"], "all_classes": ["sea", "lake"]}, )"
      R"("target": "sea", "filtered_resps": ["sea or lake"], "filter": "none", )"
      R"("metrics": ["classification_score"], "classification_score": 1.0})"
      "\n");
  const auto run = program({"score", (folder / "org__m").string(), "--format", "lm-eval",
                            "--output", (folder / "out").string()});
  EXPECT_EQ(run.code, 0) << run.err;
  const Json line = parse_json(read_file(folder / "out/scores.jsonl"), "scores.jsonl");
  EXPECT_EQ(line.at("score"), 0.5);
  EXPECT_EQ(line.at("old_score"), 1.0);
}

std::string sample(int index, double score, std::string_view reference) {
  return dump_line({{"key", fmt::format("k{}", index)},
                    {"mode", "fa"},
                    {"task", "longbench/trec"},
                    {"length", 0},
                    {"index", index},
                    {"references", Json::array({reference})},
                    {"metric", "classification"},
                    {"score", score},
                    {"outcome", "ok"}}) +
         "\n";
}

void write_run(const fs::path& folder, double score, int samples, std::string_view profile,
               int planned) {
  testing::write_file(folder / "run.json",
                      dump_line({{"schema_version", 1},
                                 {"settings", {{"profile_longbench", profile}}},
                                 {"modes", Json::array({"fa"})},
                                 {"tasks", Json::array({"longbench/trec"})},
                                 {"planned", {{"fa|longbench/trec|0", planned}}}}));
  std::string lines;
  for (int i = 0; i < samples; ++i) lines += sample(i, i % 2 == 0 ? 1.0 : score, "sea");
  testing::write_file(folder / "samples.rank0.jsonl", lines);
}

TEST(LongbenchCommand, ComparesRunsAndRefusesUnlikeOnes) {
  const TemporaryFolder folder;
  write_run(folder / "a", 1, 40, "longbench-official", 40);
  write_run(folder / "b", 0, 40, "longbench-official", 40);
  write_run(folder / "holes", 0, 39, "longbench-official", 40);
  write_run(folder / "limited", 1, 5, "longbench-official", 5);
  write_run(folder / "other", 0, 40, "longbench@builtin", 40);
  const auto compare = [&](const char* b, std::vector<std::string> more) {
    std::vector<std::string> words = {"compare", (folder / "a").string(), (folder / b).string(),
                                      "-o", (folder / "out").string()};
    words.insert(words.end(), more.begin(), more.end());
    return program(words);
  };
  EXPECT_EQ(compare("b", {}).code, 0);
  const Json row = read_json(folder / "out/compare.json").at("rows").at(0);
  EXPECT_EQ(row.at("difference"), -50.0);
  EXPECT_EQ(row.at("test"), "exact McNemar");
  EXPECT_EQ(compare("b", {"--max-loss", "10"}).code, 5);
  EXPECT_EQ(compare("b", {"--max-loss", "80"}).code, 0);
  EXPECT_EQ(compare("holes", {}).code, 2);
  EXPECT_EQ(compare("other", {}).code, 2);
  EXPECT_TRUE(compare("other", {"--allow-different"}).says("unlike: profiles differ"));
  // Five samples that agree exclude no small loss, and say so.
  const auto five = compare("limited", {"--max-loss", "2"});
  EXPECT_EQ(five.code, 5);
  EXPECT_TRUE(five.says("40 and 5 samples planned, the 5 shared ones compared")) << five.out;
  EXPECT_TRUE(five.says("a loss of 2 points or more is not excluded: longbench/trec")) << five.err;
}

TEST(LongbenchCommand, CompareTakesALimitThatIsOneAndWritesWhereAsked) {
  const TemporaryFolder folder;
  write_run(folder / "a", 1, 4, "longbench-official", 4);
  const std::string a = (folder / "a").string();
  for (const char* limit : {"nan", "inf", "-1"}) {
    const auto run = program(
        {"compare", a, a, "-o", (folder / "out").string(), std::string("--max-loss=") + limit});
    EXPECT_EQ(run.code, 2) << limit;
    EXPECT_TRUE(run.says("--max-loss")) << run.err;
    EXPECT_FALSE(fs::exists(folder / "out")) << limit;
  }
  EXPECT_EQ(program({"compare", a, a, "--output", (folder / "deep/er/my.json").string()}).code, 0);
  EXPECT_TRUE(read_json(folder / "deep/er/my.json").contains("suites"));
}

TEST(LongbenchCommand, PreviewShowsEveryStep) {
  const TemporaryFolder folder;
  testing::write_file(folder / "longbench/rows/samsum.jsonl",
                      dump_line({{"input", "Dialogue: a. Summary:"},
                                 {"context", "Dialogue: b. Summary: b."},
                                 {"answers", Json::array({"a"})},
                                 {"all_classes", nullptr},
                                 {"length", 8}}) +
                          "\n");
  const std::vector<std::string> words = {"preview", "--task",     "longbench/samsum",    "--model",
                                          "demo",    "--data-dir", folder.path().string()};
  const auto run = program(words);
  EXPECT_EQ(run.code, 0) << run.err;
  for (const char* step :
       {"== prompt: our own words", "== truncation: none needed",
        "== chat template: none: this set is asked without one", "== bos: 1 at the beginning",
        "== stop: token", "== scored: the answer's first line"}) {
    EXPECT_TRUE(run.says(step)) << step << "\n" << run.out;
  }
  std::vector<std::string> official = words;
  official.insert(official.end(), {"--profile", "longbench-official"});
  const auto missing = program(official);
  EXPECT_EQ(missing.code, 3);
  EXPECT_TRUE(missing.says("longbench@builtin") && missing.says("data fetch")) << missing.err;
}

}  // namespace
}  // namespace elastic
