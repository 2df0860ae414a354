// `reproduce` as a user calls it: tables from a run of the demo model on a few rows, measurements
// of a small shape on the CPU, trainings of a few steps; each resumed.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/commands/small_training.h"
#include "tests/testing/folders.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;
using testing::Program;
using testing::ProgramResult;

ProgramResult reproduce(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "reproduce");
  return Program(ELASTIC_BENCH_BINARY, arguments, {{"OMP_NUM_THREADS", "1"}}).wait();
}

class ReproduceCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  }

  std::string path(std::string_view name) const { return (folder_ / name).string(); }

  // Two rows of a set of LongBench-E and one of LongBench.
  void write_rows() const {
    const std::string row = dump_line({{"input", "Question: what falls from clouds?\nType:"},
                                       {"context", "Question: who made it?\nType: Individual"},
                                       {"answers", Json::array({"Substance"})},
                                       {"all_classes", {"Substance", "Individual"}},
                                       {"length", 8}}) +
                            "\n";
    testing::write_file(folder_ / "data/longbench/rows/trec_e.jsonl", row + row);
    testing::write_file(folder_ / "data/longbench/rows/lcc.jsonl", row);
  }

  ProgramResult table1(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"table1", "--model",    "demo",       "--device",
                                       "cpu",    "--data-dir", path("data"), "--max-new-tokens",
                                       "2",      "--output",   path("out")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return reproduce(arguments);
  }

  const testing::TemporaryFolder folder_;
};

TEST_F(ReproduceCommand, ATableFromARunWithAVerdictForEveryNumber) {
  write_rows();
  const ProgramResult run = table1({"--modes", "fa,fa-ssa"});
  ASSERT_EQ(run.code, 0) << run.err;
  for (const char* words : {"table1: score (0-100)", "table1: MSR", "differences between rows",
                            "another model than the paper's", "slip of the paper"}) {
    EXPECT_TRUE(run.says(words)) << words << "\n" << run.out;
  }
  EXPECT_TRUE(run.says("these stand in, and no score is comparable: longbench/lcc")) << run.err;
  EXPECT_TRUE(run.says("left out, for their data are not here")) << run.err;
  EXPECT_TRUE(fs::exists(folder_ / "out/samples.rank0.jsonl"));
  EXPECT_TRUE(fs::exists(folder_ / "out/report/report.html"));
  const auto rows = parse_csv(read_file(folder_ / "out/report/reproduce_table1.csv"), "csv");
  const auto& header = rows.front();
  const auto column = [&header](const char* name) {
    return static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
  };
  const auto code = std::find_if(rows.begin(), rows.end(), [&](const auto& row) {
    return row[column("row")] == "FA-SSA" && row[column("column")] == "Code" &&
           row[column("quantity")] == "score";
  });
  ASSERT_NE(code, rows.end());
  EXPECT_EQ((*code)[column("published")], "54.34");
  EXPECT_EQ((*code)[column("n")], "1");
  EXPECT_EQ((*code)[column("verdict")], "not comparable");
  EXPECT_NE((*code)[column("obstacles")].find("not of LongBench-E"), std::string::npos);
}

TEST_F(ReproduceCommand, GoesOnAndTakesOtherModes) {
  write_rows();
  ASSERT_EQ(table1({"--modes", "fa", "--limit", "1"}).code, 0);
  const ProgramResult again = table1({"--modes", "fa", "--limit", "1", "--format", "json"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(again.says("nothing to do")) << again.err;
  const Json rows = parse_json(again.out, "standard output").at("rows");
  EXPECT_GT(rows.size(), 40u);
  EXPECT_EQ(rows[0].at("paper_model"), "Qwen3-4B");
  const ProgramResult others =
      table1({"--modes", "fa,ssa:sink=128,local=128", "--limit", "1", "--paper-model",
              "Llama-3.1-8B-Instruct", "--format", "csv"});
  ASSERT_EQ(others.code, 0) << others.err;
  EXPECT_TRUE(others.says("table1,demo,Llama-3.1-8B-Instruct,number,FA,S-Doc QA,score,48.75,"))
      << others.out;
  // A row of our own: a mode that the table has not.
  EXPECT_TRUE(others.says("number,\"ssa:sink=128,local=128\",Code,score,,")) << others.out;
  EXPECT_EQ(table1({"--paper-model", "Llama-4"}).code, 2);
}

TEST_F(ReproduceCommand, SaysWhatIsMissingAndWhatIsNotReproduced) {
  const ProgramResult nothing = table1();
  EXPECT_EQ(nothing.code, 3);
  EXPECT_TRUE(nothing.says("data fetch longbench/data")) << nothing.err;
  const ProgramResult drawing = reproduce({"fig11", "--output", path("out")});
  EXPECT_EQ(drawing.code, 2);
  EXPECT_TRUE(drawing.says("fig11 is not reproduced: maps without printed numbers")) << drawing.err;
  const ProgramResult unknown = reproduce({"table11", "--output", path("out")});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_TRUE(unknown.says("did you mean `table1`")) << unknown.err;
  EXPECT_TRUE(reproduce({}).says("reproduce --list"));
  EXPECT_TRUE(reproduce({"table1", "--model", "demo"}).says("--output is missing"));
  EXPECT_TRUE(reproduce({"fig7", "--output", path("out")}).says("--training is missing"));
  EXPECT_FALSE(fs::exists(folder_ / "out/points"));
}

TEST_F(ReproduceCommand, TheListHasEveryTableAndFigure) {
  const ProgramResult list = reproduce({"--list", "--format", "json"});
  ASSERT_EQ(list.code, 0) << list.err;
  const Json rows = parse_json(list.out, "standard output").at("rows");
  std::vector<std::string> names;
  for (const Json& row : rows) {
    names.push_back(row.at("name"));
    EXPECT_EQ(row.at("here") == "no",
              row.at("name") == "fig3" || row.at("name") == "fig6" || row.at("name") == "fig11")
        << row;
  }
  for (const auto& [kind, count] : {std::pair("table", 10), std::pair("fig", 14)}) {
    for (int i = 1; i <= count; ++i) {
      const std::string name = kind + std::to_string(i);
      EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
    }
  }
  EXPECT_EQ(names.size(), 24u);
}

TEST_F(ReproduceCommand, PointsAreKeptAndGoneOnFrom) {
  const std::vector<std::string> command{"fig4",        "--device",  "cpu",      "--shape",
                                         "tiny-4x8x64", "--lengths", "256",      "-r",
                                         "2",           "--output",  path("out")};
  const ProgramResult first = reproduce(command);
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_TRUE(first.says("beside ours: 7 not in the paper")) << first.out;
  EXPECT_TRUE(first.says("other heads than the paper's models have")) << first.out;
  const fs::path point = folder_ / "out/points/fused-256-0.500.json";
  const Json result = read_json(point).at("result");
  EXPECT_EQ(result.at("fused_ms").size(), 2u);
  EXPECT_EQ(result.at("serial_ms").size(), 2u);
  EXPECT_EQ(result.at("msr"), .5);
  fs::remove(point);
  const ProgramResult second = reproduce(command);
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_TRUE(second.says("measuring fused-256-0.500")) << second.err;
  EXPECT_FALSE(second.says("measuring fused-256-0.125")) << second.err;
  std::vector<std::string> others = command;
  others[8] = "3";
  const ProgramResult unlike = reproduce(others);
  EXPECT_EQ(unlike.code, 2);
  EXPECT_TRUE(unlike.says("measured with repetitions 2, now it is 3")) << unlike.err;
  for (const char* bytes : {"{", "[]", R"({"settings": {}})"}) {
    testing::write_file(point, bytes);
    EXPECT_EQ(reproduce(command).code, 3) << bytes;
  }
  Json broken = {
      {"settings", read_json(folder_ / "out/points/fused-256-0.125.json").at("settings")},
      {"result", {{"fused_ms", "fast"}}}};
  testing::write_file(point, dump_line(broken));
  EXPECT_EQ(reproduce(command).code, 3);
}

TEST_F(ReproduceCommand, AFigureOfLengthsWithoutWeights) {
  const ProgramResult run = reproduce({"fig12", "--device", "cpu", "--shape", "tiny-4x8x64",
                                       "--layers", "1", "--lengths", "256", "-r", "1", "--modes",
                                       "xa-ssa,moba", "--format", "json", "--output", path("out")});
  ASSERT_EQ(run.code, 0) << run.err;
  const Json rows = parse_json(run.out, "standard output").at("rows");
  ASSERT_EQ(rows.size(), 4u);  // two rows, speed-up and ESR; at 256 the paper has nothing
  EXPECT_EQ(rows[0].at("row"), "XA-SSA");
  EXPECT_EQ(rows[0].at("quantity"), "speedup");
  EXPECT_GT(rows[0].at("measured"), 0);
  EXPECT_EQ(rows[3].at("row"), "MoBA");
  EXPECT_EQ(rows[3].at("measured"), 0);  // one chunk: nothing is left out
  const ProgramResult router =
      reproduce({"router", "latency", "--device", "cpu", "--shape", "tiny-4x8x64", "--lengths",
                 "512", "-r", "2", "--output", path("router")});
  ASSERT_EQ(router.code, 0) << router.err;
  EXPECT_TRUE(router.says("| router, composed | 512")) << router.out;
  EXPECT_TRUE(router.says("0.1980")) << router.out;
}

TEST_F(ReproduceCommand, TimesStandBesideAGpus) {
  const ProgramResult run = reproduce({"fig4", "--output", path("out")});
  if (run.code == 0) GTEST_SKIP() << "a GPU is here";
  EXPECT_EQ(run.code, 6) << run.err;
  EXPECT_TRUE(run.says("fig4 is measured on a GPU") && run.says("--device cpu --shape tiny-4x8x64"))
      << run.err;
}

TEST_F(ReproduceCommand, SettingsAreSetBesideThePapers) {
  const ProgramResult methods = reproduce({"table6", "--output", path("six")});
  ASSERT_EQ(methods.code, 0) << methods.err;
  EXPECT_TRUE(methods.says("23 same, 2 differs")) << methods.out;
  const ProgramResult demo = reproduce({"table6", "--model", "demo", "--output", path("demo")});
  EXPECT_TRUE(demo.says("| local_size        | 2048   | 256")) << demo.out;
  EXPECT_TRUE(reproduce({"table9", "--output", path("nine")}).says("5 same"));
}

class ReproduceTraining : public testing::SmallTraining {
 protected:
  void SetUp() override {
    data_ = testing::word_list_folder();
    if (data_.empty()) GTEST_SKIP() << testing::kNoWordLists;
    testing::SmallTraining::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(train("backbone", "backbone.json", "base").code, 0);
    write_config("ablation.json", {{"training", router()},
                                   {"evaluation",
                                    {{"tasks", "ruler/niah_single_1"},
                                     {"profile", "ruler@builtin"},
                                     {"lengths", "512"},
                                     {"limit", 1},
                                     {"max_new_tokens", 4},
                                     {"cache_dir", path("cache")}}}});
  }

  ProgramResult made(const std::string& experiment, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{experiment,     "--training", path("ablation.json"),
                                       "--device",     "cpu",        "--data-dir",
                                       data_.string(), "--output",   path("out")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return reproduce(arguments);
  }

  fs::path data_;
};

TEST_F(ReproduceTraining, SettingsOfTheRouterAreTrainedAndGoneOnFrom) {
  ProgramResult run = made("table3", {"--max-minutes", "0.0001"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(run.says("not trained yet")) << run.out;
  run = made("table3");
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(run.says("another training than the paper's")) << run.out;
  const Json rows = read_json(path("out/report/reproduce_table3.json")).at("rows");
  const auto ruler = std::find_if(rows.begin(), rows.end(), [](const Json& row) {
    return row.at("row") == "8" && row.at("column") == "RULER";
  });
  ASSERT_NE(ruler, rows.end());
  EXPECT_EQ(ruler->at("published"), 65.27);
  EXPECT_EQ(ruler->at("n"), 1);
}

TEST_F(ReproduceTraining, CurvesOfATrainingBesideThePapers) {
  const ProgramResult run = made("fig13");
  ASSERT_EQ(run.code, 0) << run.err;
  const Json rows = read_json(path("out/report/reproduce_fig13.json")).at("rows");
  EXPECT_EQ(rows[0].at("row"), "lm loss");
  EXPECT_EQ(rows[0].at("column"), "0");
  EXPECT_GT(rows[0].at("measured"), 0);
  EXPECT_EQ(rows[0].at("verdict"), "not comparable");
}

}  // namespace
}  // namespace elastic
