// `train` on a model of a few thousand parameters and a file of made-up documents, as a user calls
// it: stopped, killed, resumed, several ranks, bad input.

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/commands/small_training.h"
#include "tests/testing/free_port.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;
using testing::Program;
using testing::ProgramResult;

using TrainCommand = testing::SmallTraining;

TEST_F(TrainCommand, BackboneThenRoutersThenAnAnswer) {
  ProgramResult result = train("backbone", "backbone.json", "base");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(result.says("6 steps")) << result.out;
  write_config("router.json", router());
  result = train("router", "router.json", "routed");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(curves("routed").find("msr.Single QA"), std::string::npos);
  EXPECT_NE(result.err.find("lines of training data 40/"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("loading " + path("base") + " ("), std::string::npos) << result.err;
  for (const char* line : {"train 1/6  ", "train 6/6  "}) {
    const std::size_t start = result.err.find(line);
    ASSERT_NE(start, std::string::npos) << line << result.err;
    const std::string text = result.err.substr(start, result.err.find('\n', start) - start);
    for (const char* part : {"  loss ", "  MSR ", " tokens/s"}) {
      EXPECT_NE(text.find(part), std::string::npos) << text;
    }
    EXPECT_EQ(text.find(" left") != std::string::npos, std::string_view(line) == "train 1/6  ");
  }
  result = Program(ELASTIC_BENCH_BINARY, {"generate", "--model", path("routed"), "--mode", "fa-ssa",
                                          "--prompt", "Which word?", "--max-new-tokens", "2"})
               .wait();
  EXPECT_EQ(result.code, 0) << result.err;
}

TEST_F(TrainCommand, HeadsEndInAPatternFile) {
  ASSERT_EQ(train("backbone", "backbone.json", "base").code, 0);
  Json config = router();
  config.erase("router");
  config["heads"] = {{"method", "prulong"}, {"target", 0.5}};
  write_config("heads.json", config);
  const ProgramResult result = train("heads", "heads.json", "heads");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(read_file(path("heads/masks.tsv")).find_first_not_of("01\t\n"), std::string::npos);
  EXPECT_FALSE(fs::exists(path("heads/model.safetensors")));
  config["heads"]["method"] = "dou";
  write_config("heads.json", config);
  const ProgramResult wrong = train("heads", "heads.json", "other");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(wrong.says("did you mean `duo`?")) << wrong.err;
}

TEST_F(TrainCommand, TheBaseOfTheCommandLineTakesThePlaceOfTheFiles) {
  ASSERT_EQ(train("backbone", "backbone.json", "base").code, 0);
  Json config = router();
  config["base"] = path("nowhere");
  write_config("router.json", config);
  const ProgramResult absent = train("router", "router.json", "routed");
  EXPECT_EQ(absent.code, 2);
  EXPECT_TRUE(absent.says("nowhere")) << absent.err;
  const ProgramResult given = train("router", "router.json", "routed", {"--base", path("base")});
  EXPECT_EQ(given.code, 0) << given.err;
}

TEST_F(TrainCommand, KilledAndResumedGivesTheSameCurves) {
  Json config = backbone();
  config["steps"] = 24;
  write_config("long.json", config);
  ASSERT_EQ(train("backbone", "long.json", "whole").code, 0);
  Program killed(ELASTIC_BENCH_BINARY,
                 {"train", "backbone", "--config", path("long.json"), "--output", path("killed"),
                  "--device", "cpu"},
                 {{"OMP_NUM_THREADS", "1"}});
  const fs::path state = folder_ / "killed" / "state.safetensors";
  for (int i = 0; i < 3000 && !fs::exists(state); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  killed.signal(SIGKILL);
  EXPECT_EQ(killed.wait().code, 128 + SIGKILL);
  EXPECT_LT(parse_csv(curves("killed"), "killed").size(), 25u);
  const ProgramResult result = train("backbone", "long.json", "killed", {"--resume"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(result.says("resumed after step")) << result.err;
  EXPECT_EQ(curves("killed"), curves("whole"));
  EXPECT_EQ(read_file(folder_ / "killed/model.safetensors"),
            read_file(folder_ / "whole/model.safetensors"));
}

// Stopped while it reads its data: no step was done, and the exit code says which signal came.
TEST_F(TrainCommand, ASignalDuringPreparationEndsIt) {
  std::string many;
  const std::string lines = read_file(path("documents.jsonl"));
  for (int i = 0; i < 500; ++i) many += lines;  // some seconds of tokenising
  write_file_atomic(path("documents.jsonl"), many);
  Program stopped(ELASTIC_BENCH_BINARY,
                  {"train", "backbone", "--config", path("backbone.json"), "--output",
                   path("stopped"), "--device", "cpu"},
                  {{"OMP_NUM_THREADS", "1"}});
  EXPECT_TRUE(stopped.wait_for("lines of training data 1/"));
  stopped.signal(SIGTERM);
  const ProgramResult result = stopped.wait();
  EXPECT_EQ(result.code, 128 + SIGTERM) << result.err;
  EXPECT_TRUE(result.says("stopping after this step")) << result.err;
  EXPECT_FALSE(fs::exists(folder_ / "stopped"));
}

TEST_F(TrainCommand, OneFolderHoldsOneTrainingAtATime) {
  Json config = backbone();
  config["steps"] = 100000;
  write_config("long.json", config);
  Program first(ELASTIC_BENCH_BINARY,
                {"train", "backbone", "--config", path("long.json"), "--output", path("shared"),
                 "--device", "cpu"},
                {{"OMP_NUM_THREADS", "1"}});
  EXPECT_TRUE(first.wait_for("train 1/"));
  const ProgramResult second = train("backbone", "long.json", "shared", {"--resume"});
  EXPECT_EQ(second.code, 2) << second.err;
  EXPECT_TRUE(second.says("another process is writing into this folder")) << second.err;
  first.signal(SIGTERM);
  EXPECT_EQ(first.wait().code, 128 + SIGTERM);
  const auto rows = parse_csv(curves("shared"), "curves.csv");
  ASSERT_GT(rows.size(), 1u);
  for (std::size_t r = 1; r < rows.size(); ++r) EXPECT_EQ(rows[r][0], std::to_string(r - 1));
}

TEST_F(TrainCommand, BadInputEndsInAClearError) {
  const auto expect = [&](const char* part, const Json& config, int code, const char* words) {
    write_config("bad.json", config);
    const ProgramResult result = train(part, "bad.json", "bad");
    EXPECT_EQ(result.code, code) << words;
    EXPECT_TRUE(result.says(words)) << result.err;
  };
  Json config = backbone();
  config["optimiser"] = Json::object();
  expect("backbone", config, 2, "did you mean `optimizer`");
  config = backbone();
  config["optimizer"] = {{"clip", 0}};
  expect("backbone", config, 2, "`optimizer.clip` is 0");
  config = backbone();
  config.erase("model");
  expect("backbone", config, 2, "`model`");
  config = router();
  config.erase("base");
  expect("router", config, 2, "`base` is missing");
  config = backbone();
  config["data"]["targets"] = {{"Code", 1.5}};
  expect("backbone", config, 2, "1.5");
  config = backbone();
  config["data"]["tokens_per_batch"] = 200;
  expect("backbone", config, 3, "documents.jsonl");
  write_file_atomic(path("documents.jsonl"),
                    "{\"context\": \"a\", \"question\": \"b\", \"answer\": \"c\"}\n");
  expect("backbone", backbone(), 3, "documents.jsonl");
}

TEST_F(TrainCommand, AFullDiskIsSaid) {
  const ProgramResult result = train("backbone", "backbone.json", "full", {}, 100000);
  EXPECT_EQ(result.code, 1);
  EXPECT_TRUE(result.says("state.safetensors: cannot write")) << result.err;
}

TEST_F(TrainCommand, AnUnknownHostIsNamed) {
  ASSERT_EQ(train("backbone", "backbone.json", "base").code, 0);
  write_config("router.json", router());
  const ProgramResult result = Program(ELASTIC_BENCH_BINARY,
                                       {"train", "router", "--config", path("router.json"),
                                        "--output", path("routed"), "--device", "cpu"},
                                       {{"RANK", "0"},
                                        {"WORLD_SIZE", "2"},
                                        {"MASTER_ADDR", "no host"},
                                        {"OMP_NUM_THREADS", "1"}})
                                   .wait();
  EXPECT_EQ(result.code, 2) << result.err;
  EXPECT_TRUE(result.says("MASTER_ADDR is `no host`")) << result.err;
}

class TrainTogether : public TrainCommand {
 protected:
  void SetUp() override {
    TrainCommand::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(train("backbone", "backbone.json", "base").code, 0);
  }
  // One rank of two that train routers into the folder `two`.
  Program start(const char* rank, const char* config) const {
    return Program(ELASTIC_BENCH_BINARY,
                   {"train", "router", "--config", path(config), "--output", path("two"),
                    "--device", "cpu", "--resume"},
                   {{"RANK", rank},
                    {"WORLD_SIZE", "2"},
                    {"MASTER_ADDR", "127.0.0.1"},
                    {"MASTER_PORT", port_},
                    {"OMP_NUM_THREADS", "1"}});
  }
  std::string port_ = std::to_string(testing::free_port());
};

// The other ends by itself, and both go on from the last checkpoint.
TEST_F(TrainTogether, AKilledRankEndsTheOther) {
  Json config = router();
  config["steps"] = 400;
  config["checkpoint_every"] = 1;
  write_config("long.json", config);
  Program first = start("0", "long.json"), second = start("1", "long.json");
  ASSERT_TRUE(first.wait_for("train 1/400"));
  second.signal(SIGKILL);
  const auto killed = std::chrono::steady_clock::now();
  const ProgramResult result = first.wait();
  EXPECT_LT(std::chrono::steady_clock::now() - killed, std::chrono::seconds(30));
  EXPECT_EQ(result.code, 1) << result.err;
  for (const std::string& part :
       {"rank 0 of 2 at 127.0.0.1:" + port_ + ": another process ended", std::string("--resume")}) {
    EXPECT_TRUE(result.says(part)) << result.err;
  }
  EXPECT_EQ(second.wait().code, 128 + SIGKILL);
  Program third = start("0", "long.json"), fourth = start("1", "long.json");
  ASSERT_TRUE(third.wait_for("resumed after step"));
  third.signal(SIGINT);
  EXPECT_EQ(third.wait().code, 128 + SIGINT);
  fourth.wait();
}

TEST_F(TrainTogether, OptionsThatDifferAreNamedOnBothRanks) {
  Json config = router();
  write_config("zero.json", config);
  config["optimizer"] = {{"lr", 0.25}};
  write_config("one.json", config);
  Program first = start("0", "zero.json"), second = start("1", "one.json");
  for (const ProgramResult& result : {first.wait(), second.wait()}) {
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_TRUE(result.says("`optimizer.lr` is 0.0005 for rank 0 and 0.25 for rank 1"))
        << result.err;
  }
}

TEST_F(TrainTogether, GiveTheResultOfOne) {
  Json config = router();
  write_config("two.json", config);
  config["micro_steps"] = 2;
  write_config("one.json", config);
  ASSERT_EQ(train("router", "one.json", "one").code, 0);
  Program first = start("0", "two.json"), second = start("1", "two.json");
  const ProgramResult result = first.wait();
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(second.wait().code, 0);
  const auto one = parse_csv(curves("one"), "one"), two = parse_csv(curves("two"), "two");
  ASSERT_EQ(one.size(), two.size());
  for (std::size_t r = 1; r < one.size(); ++r) {
    for (std::size_t c = 0; c < one[r].size(); ++c) {
      if (one[r][c].empty()) continue;
      const double expected = std::stod(one[r][c]);
      EXPECT_NEAR(std::stod(two[r][c]), expected, 1e-5 * std::abs(expected) + 1e-7) << one[0][c];
    }
  }
}

}  // namespace
}  // namespace elastic
