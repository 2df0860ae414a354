// `run` and its relatives on the demo model, as a user calls them.

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <map>
#include <random>
#include <thread>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;
using testing::Program;
using testing::ProgramResult;

class RunCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::word_list_folder().empty()) GTEST_SKIP() << testing::kNoWordLists;
  }

  // The machine's caches have no part in these tests.
  Program::Variables variables(Program::Variables more = {}) const {
    more.emplace_back("ELASTIC_DATA_DIR", testing::word_list_folder().string());
    more.emplace_back("ELASTIC_CACHE_DIR", (folder_ / "cache").string());
    more.emplace_back("OMP_NUM_THREADS", "1");  // the tests share two cores with others
    return more;
  }

  ProgramResult program(const std::vector<std::string>& arguments,
                        const Program::Variables& more = {}) const {
    return Program(ELASTIC_BENCH_BINARY, arguments, variables(more)).wait();
  }

  // "123 MiB" of what `plan` says.
  std::string peak_of(std::vector<std::string> plan, const char* modes) const {
    plan.insert(plan.end(), {"--modes", modes});
    const std::string out = program(plan).out;
    constexpr std::string_view kBefore = "peak memory ";
    const std::size_t at = out.rfind(kBefore);
    if (at == std::string::npos) return "";
    return out.substr(at + kBefore.size(), out.find(" (", at) - at - kBefore.size());
  }

  std::string path(std::string_view name) const { return (folder_ / name).string(); }

  std::vector<std::string> run_arguments(const std::string& output,
                                         const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{
        "run",     "--model",   "demo",      "--tasks",  "ruler/niah_single_1,ruler/vt",
        "--modes", "fa,fa-ssa", "--lengths", "512",      "--limit",
        "2",       "--device",  "cpu",       "--output", path(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  std::vector<Json> lines(const std::string& output, int rank = 0) const {
    std::vector<Json> records;
    const std::string bytes =
        read_file(folder_ / output / ("samples.rank" + std::to_string(rank) + ".jsonl"));
    for (const std::string_view line : split(bytes, '\n')) {
      if (!line.empty()) records.push_back(parse_json(line, "samples"));
    }
    return records;
  }

  // key -> what must not depend on how often a run was cut: prediction, score, routing.
  std::map<std::string, std::string> outcomes(const std::string& output) const {
    std::map<std::string, std::string> all;
    for (const Json& line : lines(output)) {
      all[line["key"]] = line["prediction"].dump() + line["score"].dump() + line["routing"].dump();
    }
    return all;
  }

  const testing::TemporaryFolder folder_;
};

TEST_F(RunCommand, RunsRecordsAndThenHasNothingToDo) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  const ProgramResult first = program(run_arguments("a", {"--log-prompts", "--timing"}));
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_TRUE(first.says("elastic-bench report"));
  const std::vector<Json> records = lines("a");
  ASSERT_EQ(records.size(), 8u);
  for (const Json& line : records) {
    EXPECT_EQ(line["outcome"], "ok") << line["error"];
    EXPECT_EQ(line["model"], "demo");
    EXPECT_LE(line["prompt_tokens"].get<int>(), 512);
    EXPECT_GE(line["score"].get<double>(), 0);
    EXPECT_EQ(line["routing"].size(), 6u) << "layers";
    EXPECT_GT(line["prefill_ms"].get<double>(), 0);
    EXPECT_LT(dump_line(line).size(), 2048u);
    EXPECT_TRUE(fs::exists(folder_ / "a" / "prompts" /
                           (line["prompt_sha256"].get<std::string>() + ".zst")));
  }
  const Json run = read_json(folder_ / "a" / "run.json");
  EXPECT_EQ(run["settings"]["profile_ruler"], "ruler@builtin");
  EXPECT_EQ(run["settings"]["model_sha256"].get<std::string>().size(), 64u);
  EXPECT_EQ(run["data_ids"].size(), 2u);
  const Json& environment = run["environment"];
  for (const char* key : {"program", "build_type", "build_flags", "compiler", "cpu", "libtorch"}) {
    EXPECT_FALSE(environment.value(key, "").empty()) << key;
  }
  EXPECT_EQ(environment["timing"], "yes");
  EXPECT_EQ(environment["attention_kernel"], "CPU tiles (engine/kernels)");
  EXPECT_FALSE(environment.value("load_average", "").empty());
  EXPECT_FALSE(environment.contains("timing_faults")) << environment["timing_faults"];
  EXPECT_EQ(run["templates"].size(), 2u) << "one a task; the demo has no chat template";
  EXPECT_NE(run["templates"].begin()->get<std::string>().find("{context}"), std::string::npos);
  EXPECT_EQ(environment["cpu_threads"], "1");
  EXPECT_EQ(environment["batch_size"], "1");
  EXPECT_EQ(environment.contains("commit"), environment.contains("dirty"));
  if (environment.contains("commit")) {
    EXPECT_EQ(environment["commit"].get<std::string>().size(), 40u);
  }

  const std::string before = read_file(folder_ / "a" / "samples.rank0.jsonl");
  const ProgramResult second = program(run_arguments("a"));
  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_TRUE(second.says("nothing to do")) << second.err;
  EXPECT_EQ(read_file(folder_ / "a" / "samples.rank0.jsonl"), before);

  const ProgramResult changed = program(run_arguments("a", {"--seed", "43"}));
  EXPECT_EQ(changed.code, 2);
  EXPECT_TRUE(changed.says("`seed` was `42` and is now `43`")) << changed.err;
  EXPECT_EQ(program(run_arguments("a", {"--no-resume"})).code, 2);
}

TEST_F(RunCommand, SignalsStopCleanlyAndTheRunGoesOn) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  ASSERT_EQ(program(run_arguments("whole", {"--limit=6"})).code, 0);
  const fs::path samples = folder_ / "cut" / "samples.rank0.jsonl";
  const auto size = [&] { return fs::exists(samples) ? fs::file_size(samples) : 0; };
  for (const auto& [number, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    const std::uintmax_t before = size();
    Program started(ELASTIC_BENCH_BINARY, run_arguments("cut", {"--limit=6"}), variables());
    for (int i = 0; i < 6000 && size() <= before; ++i) {  // until a sample is there
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    started.signal(number);
    const ProgramResult result = started.wait();
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_TRUE(result.says(std::to_string(lines("cut").size()) + " of 24 samples are in " +
                            path("cut") + ": the same command goes on from there"))
        << result.err;
  }
  write_file_atomic(samples, read_file(samples) + "{\"key\": \"torn");
  const ProgramResult rest = program(run_arguments("cut", {"--limit=6"}));
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_TRUE(rest.says("cut a torn last line")) << rest.err;
  EXPECT_EQ(outcomes("cut"), outcomes("whole"));
  EXPECT_EQ(lines("cut").size(), 24u) << "no sample twice";
}

TEST_F(RunCommand, KilledAtRandomMomentsItEndsTheSame) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  ASSERT_EQ(program(run_arguments("whole", {"--limit=3"})).code, 0);
  std::mt19937 random(3);
  for (int i = 0; i < 6; ++i) {
    Program started(ELASTIC_BENCH_BINARY, run_arguments("cut", {"--limit=3"}), variables());
    std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 900));
    started.signal(SIGKILL);
    started.wait();
  }
  EXPECT_EQ(program(run_arguments("cut", {"--limit=3"})).code, 0);
  EXPECT_EQ(outcomes("cut"), outcomes("whole"));
  EXPECT_EQ(lines("cut").size(), 12u) << "no sample twice";
}

TEST_F(RunCommand, TwoProcessesShareARunThroughTorchrunVariables) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  Program one(ELASTIC_BENCH_BINARY, run_arguments("a"),
              variables({{"RANK", "1"}, {"WORLD_SIZE", "2"}}));
  const ProgramResult zero = program(run_arguments("a"), {{"RANK", "0"}, {"WORLD_SIZE", "2"}});
  const ProgramResult other = one.wait();
  EXPECT_EQ(zero.code, 0) << zero.err;
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_EQ(lines("a", 0).size(), 4u);
  EXPECT_EQ(lines("a", 1).size(), 4u);
  const ProgramResult single = program(run_arguments("a"));
  EXPECT_TRUE(single.says("nothing to do")) << single.err;
}

TEST_F(RunCommand, AFullDiskIsAClearErrorAndTearsNothing) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  ASSERT_EQ(program(run_arguments("cached", {"--limit=6"})).code, 0) << "data are in the cache now";
  Program full(ELASTIC_BENCH_BINARY, run_arguments("a", {"--limit=6"}), variables(), 9000);
  const ProgramResult result = full.wait();
  EXPECT_EQ(result.code, 1) << result.err;
  EXPECT_TRUE(result.says("samples.rank0.jsonl: cannot append: File too large")) << result.err;
  EXPECT_LT(lines("a").size(), 24u);
  EXPECT_EQ(program(run_arguments("a", {"--limit=6"})).code, 0);
  EXPECT_EQ(outcomes("a"), outcomes("cached"));
}

TEST_F(RunCommand, SamplesThatFailGiveExitCodeFour) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  const ProgramResult result = program({"run", "--model", "demo", "--tasks", "ruler/niah_single_1",
                                        "--modes", "fa", "--lengths", "512,1k", "--max-new-tokens",
                                        "7500", "--limit", "1", "--output", path("a")});
  EXPECT_EQ(result.code, 4) << result.err;
  EXPECT_TRUE(result.says("1 of 2 samples failed")) << result.err;
  EXPECT_NE(lines("a")[1]["error"].get<std::string>().find("window of 8192"), std::string::npos);
}

TEST_F(RunCommand, UsageErrorsEndBeforeAnythingIsWritten) {
  const auto expect = [&](const std::vector<std::string>& more, int code, std::string_view part) {
    const ProgramResult result = program(run_arguments("a", more));
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_TRUE(result.says(part)) << result.err;
    EXPECT_FALSE(fs::exists(folder_ / "a")) << part;
  };
  expect({"--lengths=64"}, 2, "smallest");
  expect({"--lengths=512,16k"}, 2, "16k is beyond the model's window of 8192");
  expect({"--config=/dev/zero"}, 2, "is a device");
  expect({"--model=" + (testing::source_folder() / "README.md").string()}, 2, "README.md");
  expect({"--tasks=ruler/niah_single"}, 2, "did you mean `ruler/niah_single_");
  expect({"--profile=ruler@gen-b", "--data-dir=" + path("empty")}, 3, "data fetch");
  expect({"--profile=ruler@gen-z"}, 2, "gen-z");
  expect({"--thinking=on"}, 2, "--thinking");
  expect({"--model=nowhere"}, 2, "nowhere");
  expect({"--limit=none"}, 2, "limit");
  expect({"--no-such-flag"}, 2, "no-such-flag");
  const ProgramResult result = program(
      {"run", "--model", "demo", "--tasks", "ruler/vt", "--modes", "fa", "--lengths", "512"});
  EXPECT_EQ(result.code, 2);
  EXPECT_TRUE(result.says("--output is missing"));
  EXPECT_EQ(program(run_arguments("b"), {{"RANK", "2"}, {"WORLD_SIZE", "2"}}).code, 2);
}

TEST_F(RunCommand, UnknownModesAreRefusedBeforeDataAreMade) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  for (const auto& [modes, part] : {std::pair("fa,sas", "did you mean `ssa`"),
                                    {"full", "unknown mode `full`"},
                                    {"ssa:sinc=3", "sinc"},
                                    {"fa-ssa:sink=1,loacl=2", "loacl"},
                                    {"fa-ssa:pattern=absent.tsv", "absent.tsv"}}) {
    for (const char* command : {"run", "plan", "dry run"}) {
      std::vector<std::string> arguments = run_arguments("a", {"--modes", modes});
      if (command == std::string_view("plan")) arguments[0] = command;
      if (command == std::string_view("dry run")) arguments.emplace_back("--dry-run");
      const ProgramResult result = program(arguments);
      EXPECT_TRUE(result.code == 2 || result.code == 3) << result.err;
      EXPECT_TRUE(result.says(part)) << command << ": " << result.err;
    }
  }
  EXPECT_FALSE(fs::exists(folder_ / "a"));
  EXPECT_FALSE(fs::exists(folder_ / "cache"));
}

// The path of a pattern file says nothing of what it holds.
TEST_F(RunCommand, AChangedPatternFileIsNotResumed) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  const std::string pattern = path("heads.tsv");
  const auto run = [&](const char* last) {
    std::string text;
    for (int layer = 0; layer < 6; ++layer) text += std::string("0.1\t0.2\t0.3\t0.4\t0.5\t") + last;
    write_file_atomic(pattern, text);
    return program(run_arguments("a", {"--modes", "duo:pattern=" + pattern, "--limit", "1"}));
  };
  ASSERT_EQ(run("0.6\n").code, 0);
  EXPECT_EQ(run("0.6\n").code, 0) << "nothing to do";
  const ProgramResult changed = run("0.7\n");
  EXPECT_EQ(changed.code, 2) << changed.err;
  EXPECT_TRUE(changed.says("pattern_sha256")) << changed.err;
  EXPECT_EQ(lines("a").size(), 2u);
}

TEST_F(RunCommand, ASignalWhileDataAreMadeStopsTheRun) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  for (const auto& [number, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    Program started(ELASTIC_BENCH_BINARY,
                    run_arguments("a", {"--lengths=8k", "--limit=3000", "--tasks=ruler"}),
                    variables());
    started.wait_until_handled(number);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    started.signal(number);
    const auto begin = std::chrono::steady_clock::now();
    const ProgramResult result = started.wait();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_TRUE(result.says("no sample has run")) << result.err;
    EXPECT_FALSE(fs::exists(folder_ / "a"));
  }
}

TEST_F(RunCommand, PlanAndDryRunLoadNothingAndWriteNothing) {
  std::vector<std::string> plan = run_arguments("a");
  plan[0] = "plan";
  const ProgramResult planned = program(plan);
  EXPECT_EQ(planned.code, 0) << planned.err;
  EXPECT_TRUE(planned.says("total: 8 samples")) << planned.out;
  EXPECT_TRUE(planned.says("ruler/niah_single_1 512"));
  EXPECT_EQ(program(run_arguments("a", {"--dry-run"})).out, planned.out);
  EXPECT_FALSE(fs::exists(folder_ / "a"));
}

// Beyond what a chunk holds.
TEST_F(RunCommand, PlanCountsWhatAChoiceOverWholePromptsTakes) {
  if (!testing::kHasEngine) GTEST_SKIP() << "built without the engine";
  const fs::path demo = testing::source_folder() / "models/demo", longer = folder_ / "longer";
  fs::create_directories(longer);
  for (const char* file : {"model.safetensors", "tokenizer.model", "tokenizer_config.json"}) {
    fs::create_symlink(demo / file, longer / file);
  }
  Json config = parse_json(read_file(demo / "config.json"), "config.json");
  config["max_position_embeddings"] = 65536;
  write_file_atomic(longer / "config.json", dump_pretty(config));
  const std::vector<std::string> plan{
      "plan",      "--model", longer.string(), "--tasks", "ruler/vt", "--profile", "ruler@builtin",
      "--lengths", "16k",     "--limit",       "1",       "--device", "cpu"};
  const std::string fa = peak_of(plan, "fa"), choosing = peak_of(plan, "fa,flexprefill");
  EXPECT_NE(fa, "");
  EXPECT_NE(fa, choosing);
}

TEST_F(RunCommand, AConfigFileSetsEveryFlagAndFlagsBeatIt) {
  write_file_atomic(folder_ / "c.json",
                    R"({"model": "demo", "tasks": ["ruler/vt", "ruler/niah_single_1"],
                        "modes": "fa", "lengths": ["512", 1024], "limit": 3, "max_new_tokens": 4,
                        "strict": true, "no-resume": false})");
  const ProgramResult file = program({"plan", "--config", path("c.json")});
  EXPECT_EQ(file.code, 0) << file.err;
  EXPECT_TRUE(file.says("total: 12 samples")) << file.out;
  EXPECT_TRUE(program({"plan", "--config", path("c.json"), "--limit", "5"}).says("20 samples"));
  const auto refused = [&](const char* json, std::string_view part) {
    write_file_atomic(folder_ / "bad.json", json);
    const ProgramResult result = program({"plan", "--config", path("bad.json"), "--model", "demo"});
    EXPECT_TRUE(result.code == 2 || result.code == 3) << result.err;
    EXPECT_TRUE(result.says(part)) << result.err;
    EXPECT_TRUE(result.says("bad.json")) << result.err;
  };
  refused(R"({"lenghts": "4k"})", "did you mean `lengths`?");
  refused(R"({"limit": "many"})", "`limit`");
  refused(R"({"limit": {"a": 1}})", "`limit`");
  refused("[1]", "JSON object");
  refused("{", "not valid JSON");
}

TEST_F(RunCommand, PreviewShowsThePromptItsIdsAndItsTokens) {
  const ProgramResult result = program({"preview", "--task", "ruler/niah_single_1", "--model",
                                        "demo", "--length", "512", "--index", "1"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(result.says("== ruler/niah_single_1 (ruler@builtin), length 512, sample 1"));
  EXPECT_TRUE(result.says("answer budget 128"));
  const std::size_t ids = result.out.find("== ids");
  ASSERT_NE(ids, std::string::npos);
  const std::size_t line = result.out.find('\n', ids) + 1;
  EXPECT_TRUE(result.out.substr(line).starts_with("1 ")) << "one BOS in front";
  EXPECT_FALSE(result.out.substr(line).starts_with("1 1 "));
  EXPECT_EQ(program({"preview", "--task", "ruler", "--model", "demo"}).code, 2);
  EXPECT_EQ(program({"preview", "--task", "ruler/vt", "--model", "demo", "--index", "-1"}).code, 2);
}

TEST_F(RunCommand, TasksListsAndExplains) {
  const ProgramResult list = program({"tasks"});
  EXPECT_EQ(list.code, 0);
  EXPECT_TRUE(list.says("ruler/qa_2"));
  const ProgramResult one = program({"tasks", "ruler/cwe"});
  EXPECT_TRUE(one.says("120 tokens")) << one.out;
  EXPECT_EQ(program({"tasks", "ruler/cwee"}).code, 2);
}

}  // namespace
}  // namespace elastic
