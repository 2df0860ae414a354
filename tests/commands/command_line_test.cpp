// The command line itself, as a user types it: names, spellings, values, paths, exit codes.

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;
using testing::Program;
using testing::ProgramResult;

class CommandLine : public ::testing::Test {
 protected:
  // `arguments` separated by single blanks.
  ProgramResult program(const std::string& arguments,
                        const Program::Variables& variables = {}) const {
    std::vector<std::string> words;
    for (const std::string_view word : split(arguments, ' ')) words.emplace_back(word);
    return Program(ELASTIC_BENCH_BINARY, words, variables).wait();
  }

  // `$BENCH` is the program, the working directory a fresh folder.
  ProgramResult shell(const std::string& command) const {
    return Program("/bin/sh", {"-c", "cd " + folder_.path().string() + " && " + command},
                   {{"BENCH", ELASTIC_BENCH_BINARY}, {"OMP_NUM_THREADS", "1"}})
        .wait();
  }

  void expect(const std::string& arguments, int code, std::string_view part) const {
    const ProgramResult result = program(arguments);
    EXPECT_EQ(result.code, code) << arguments << ": " << result.err;
    EXPECT_TRUE(result.says(part)) << arguments << ": " << result.err;
  }

  std::string path(std::string_view name) const { return (folder_ / name).string(); }
  void write(std::string_view name, std::string_view text) const {
    fs::create_directories((folder_ / name).parent_path());
    write_file_atomic(folder_ / name, text);
  }

  const testing::TemporaryFolder folder_;
};

TEST_F(CommandLine, UnknownNamesSuggestTheNearest) {
  expect("rnu --model demo", 2, "unknown command `rnu`; did you mean `run`?");
  expect("bench atention", 2, "did you mean `attention`?");
  expect("bench training rooter", 2, "did you mean `router`?");
  expect("data lst", 2, "did you mean `list`?");
  expect("zzzzzzzz", 2, "known: ablate, analyze, bench");
  expect("tasks niah_singel_1", 2, "did you mean `ruler/niah_single_1`?");
  expect("tasks hotpotqa", 2, "did you mean `longbench/hotpotqa`?");
  expect("tasks ruller", 2, "did you mean `ruler`?");
  EXPECT_EQ(program("--help").code, 0);
  EXPECT_EQ(program("bench --help").code, 0);
  EXPECT_EQ(program("--version").code, 0);
  expect("", 2, "");
}

TEST_F(CommandLine, SingularAndPluralAreOneFlag) {
  const ProgramResult plural = program(
      "plan --model demo --tasks ruler/vt --modes fa --lengths 512 --limit 2 --max-length 2048");
  ASSERT_EQ(plural.code, 0) << plural.err;
  EXPECT_EQ(program("plan --model demo --task ruler/vt --mode fa --length 512 --limit 2 "
                    "--max_length=2k")
                .out,
            plural.out);
  for (const char* help :
       {"run", "report", "score", "compare", "train router", "train heads", "train tokenizer",
        "ablate pool-budget", "analyze heads", "analyze sparsify", "similarity", "bench attention",
        "bench prefill", "bench ruler", "bench tokenizer", "bench training router", "data generate",
        "data bundle"}) {
    EXPECT_TRUE(program(std::string(help) + " --help").says("-o,--output")) << help;
  }
}

TEST_F(CommandLine, LimitsAreCountsOrShares) {
  const std::string plan = "plan --model demo --tasks ruler/vt --modes fa --lengths 512 --limit ";
  EXPECT_TRUE(program(plan + "7").says("total: 7 samples"));
  EXPECT_TRUE(program(plan + "0.1").says("total: 5 samples")) << "of RULER's 50";
  EXPECT_TRUE(program(plan + "0.1 --limit 3").says("total: 3 samples")) << "the last one counts";
  EXPECT_TRUE(
      program("plan --model demo --tasks longbench/trec --modes fa --limit 0.25").says("0.25 of"));
  for (const char* wrong : {"0", "-1", "1.0", "0.0", "nan", "1e3", "100001"}) {
    expect(plan + wrong, 2, "--limit");
  }
}

// CLI11 alone cuts such numbers to 64 bits, or takes them for octal.
TEST_F(CommandLine, NumbersOutOfRangeAreRefusedByEveryFlag) {
  const std::string huge = "99999999999999999999";
  const std::string plan = "plan --model demo --tasks ruler/vt --modes fa --lengths 512 ";
  const std::string vt = "data generate ruler/vt --length 512 -o - --token-counter ws ";
  const std::string generate = "generate --model demo --ids 1 ";
  const std::string prefill = "bench prefill --shape tiny-4x8x64 --random-weights --lengths 64 ";
  const std::string training = "bench training router --shape tiny-4x8x64 ";
  for (const std::string& command :
       {plan + "--limit ",
        plan + "--seed ",
        plan + "--batch-size ",
        plan + "--max-new-tokens ",
        plan + "--max-length ",
        plan + "--thinking-tokens ",
        std::string("preview --task ruler/vt --model demo --length 512 --index "),
        vt + "--num-samples ",
        vt + "--seed ",
        generate + "--max-new-tokens ",
        generate + "--seed ",
        generate + "--temperature ",
        generate + "--top-p ",
        generate + "--top-k ",
        prefill + "-r ",
        prefill + "--max-interval ",
        std::string("bench attention --heads "),
        std::string("bench attention --head-dim "),
        std::string("bench tokenizer --model demo -r "),
        std::string("bench ruler --model demo --num-samples "),
        training + "--vocab 9 --tokens ",
        training + "--vocab 9 --steps ",
        training + "--vocab ",
        std::string("train router --config /dev/null --output x --max-minutes "),
        std::string("train tokenizer --output x --vocab-size "),
        std::string("train tokenizer --output x --seed ")}) {
    expect(command + huge, 2, split(strip(command), ' ').back());
  }
  for (const auto& [command, value] :
       {std::pair(plan + "--seed ", "-1"), std::pair(plan + "--batch-size ", "0x10"),
        std::pair(plan + "--max-length ", "1025m"), std::pair(vt + "--seed ", "4294967296"),
        std::pair(generate + "--temperature ", "nan"),
        std::pair(generate + "--temperature ", "1e400"),
        std::pair(prefill + "--max-interval ", "twelve"), std::pair(training + "--vocab ", "0")}) {
    expect(command + value, 2, value);
  }
  expect("plan --model demo --tasks ruler/vt --modes fa --lengths " + huge, 2, huge);
  const ProgramResult decimal = program(plan + "--limit 3 --max-new-tokens 010");
  EXPECT_EQ(decimal.out, program(plan + "--limit 3 --max-new-tokens 10").out);
}

TEST_F(CommandLine, WrongPathsAreUsageErrors) {
  const std::string absent = path("absent"), folder = path("a-folder");
  fs::create_directories(folder);
  write("a-file", "{}");
  for (const std::string& wrong : {absent, folder}) {
    for (const char* command :
         {"plan --config ", "generate --model demo --ids-file ",
          "generate --model demo --prompt-file ", "tokenize --model demo ",
          "train router --output x --config ", "ablate pool-budget --output x --config ",
          "bench tokenizer --model demo --file ", "bench tokenizer --model demo --peers "}) {
      expect(command + wrong, 2, wrong);
    }
  }
  for (const std::string& wrong : {absent, path("a-file"), folder}) {
    expect("report --output x " + wrong, 2, wrong);
    expect("compare " + wrong + " " + wrong, 2, wrong);
    expect("tokenize --model " + wrong, wrong == folder ? 3 : 2, wrong);
    expect("plan --tasks ruler/vt --modes fa --model " + wrong, 2, wrong);
  }
  for (const char* format : {"elastic", "ruler", "longbench", "longbench-v2", "lm-eval"}) {
    expect("score --output " + path("x") + " --format " + format + " " + absent, 2, absent);
  }
  expect("data import --data-dir " + path("data") + " " + absent, 2, absent);
  // A place where no file can be written.
  const std::string run = testing::fixture("reports/run").string();
  expect("report " + run + " --output " + path("a-file"), 2, "a-file");
  expect("report " + run + " --output " + path("a-file/below"), 2, "a-file");
  EXPECT_FALSE(fs::exists("x"));
  // Absent data is another thing.
  expect("data verify ruler/squad --data-dir " + absent, 3, "data fetch");
}

TEST_F(CommandLine, LostOutputIsNoSuccess) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  if (testing::word_list_folder().empty()) GTEST_SKIP() << testing::kNoWordLists;
  const std::string run = testing::fixture("reports/run").string();
  write("texts.jsonl", "{\"text\": \"a\"}\n");
  for (const std::string& command :
       {std::string("--help"), std::string("--version"), std::string("run --help"),
        std::string("tasks"), std::string("doctor"), std::string("data list"),
        std::string("tokenize --model demo texts.jsonl"),
        std::string("plan --model demo --tasks ruler/vt --modes fa --lengths 512"),
        std::string("data generate ruler/vt --length 512 --num-samples 2 --token-counter ws "
                    "--profile ruler@builtin --cache-dir cache -o -"),
        std::string("preview --task ruler/vt --model demo --length 512 --cache-dir cache"),
        "compare --allow-different -o out " + run + " " + run,
        "report -o out --format csv " + run}) {
    const ProgramResult lost = shell("$BENCH " + command + " > /dev/full");
    EXPECT_EQ(lost.code, 1) << command << ": " << lost.err;
    EXPECT_TRUE(lost.says("standard output: writing failed")) << command << ": " << lost.err;
  }
}

TEST_F(CommandLine, ClosedDescriptorsGetNoFileOfOurs) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  if (testing::word_list_folder().empty()) GTEST_SKIP() << testing::kNoWordLists;
  const std::string run =
      "ELASTIC_DATA_DIR=" + testing::word_list_folder().string() +
      " $BENCH run --model demo --tasks ruler/vt --modes fa --lengths 512 --limit 2 --device cpu "
      "--cache-dir cache --output ";
  for (const char* closed : {"2>&-", "0<&- 2>&-", "0<&- 1>&- 2>&-"}) {
    const std::string folder = path("run");
    const ProgramResult result = shell(run + folder + " " + closed);
    EXPECT_EQ(result.code, 0) << closed << result.err;
    const std::string samples = read_file(fs::path(folder) / "samples.rank0.jsonl");
    EXPECT_EQ(std::count(samples.begin(), samples.end(), '\n'), 2) << closed << samples;
    for (const std::string_view line : split(strip(samples), '\n')) {
      EXPECT_TRUE(line.starts_with("{\"key\"")) << line;
    }
    for (const char* lock : {".lock", ".lock.rank0"}) {
      EXPECT_EQ(read_file(fs::path(folder) / lock), "") << closed;
    }
    fs::remove_all(folder);
  }
}

TEST_F(CommandLine, LimitsOfTheSystemHaveTheirExitCodes) {
  // A file-size limit is the error of a write, not the end by SIGXFSZ (blocks of 512 bytes).
  const ProgramResult cut = shell("ulimit -f 1; $BENCH report -o out --format html " +
                                  testing::fixture("reports/run").string() + " 2> /dev/null");
  EXPECT_EQ(cut.code, 1) << cut.out;
#ifndef __SANITIZE_ADDRESS__  // whose shadow memory takes terabytes of addresses
  const ProgramResult memory = shell(
      "truncate -s 3G ids && ulimit -v 2500000 && exec $BENCH generate --model demo --ids-file "
      "ids");
  EXPECT_EQ(memory.code, 6) << memory.err;
  EXPECT_TRUE(memory.says("out of memory")) << memory.err;
#endif
}

TEST_F(CommandLine, HubIdsAreFoundInTheCache) {
  const fs::path demo = testing::source_folder() / "models/demo";
  const fs::path hub = folder_ / "hub/models--Some-Org--Tiny-1B";
  fs::create_directories(hub / "snapshots/0a1b");
  for (const auto& file : fs::directory_iterator(demo)) {
    fs::create_symlink(file.path(), hub / "snapshots/0a1b" / file.path().filename());
  }
  write("hub/models--Some-Org--Tiny-1B/refs/main", "0a1b\n");
  const std::string plan =
      "plan --model Some-Org/Tiny-1B --tasks ruler/vt --modes fa --lengths 512";
  const Program::Variables places[] = {
      {{"HF_HUB_CACHE", path("hub")}, {"HF_HOME", path("nowhere")}},
      {{"HF_HUB_CACHE", ""}, {"HF_HOME", folder_.path().string()}}};
  for (const Program::Variables& variables : places) {
    const ProgramResult found = program(plan, variables);
    EXPECT_EQ(found.code, 0) << found.err;
    EXPECT_TRUE(found.says("model Tiny-1B: ")) << found.out;
  }
  fs::create_directories(folder_ / "home/.cache/huggingface");
  fs::create_directory_symlink(folder_ / "hub", folder_ / "home/.cache/huggingface/hub");
  EXPECT_EQ(program(plan, {{"HF_HUB_CACHE", ""}, {"HF_HOME", ""}, {"HOME", path("home")}}).code, 0);
  const ProgramResult other = program("plan --model Some-Org/Other --tasks ruler/vt --modes fa",
                                      {{"HF_HUB_CACHE", path("hub")}});
  EXPECT_EQ(other.code, 2);
  EXPECT_TRUE(other.says("models--Some-Org--Other")) << other.err;
  write("hub/models--Some-Org--Tiny-1B/refs/main", "../../../etc");
  EXPECT_EQ(program(plan, {{"HF_HUB_CACHE", path("hub")}}).code, 3);
}

// Demo with a NaN in the weights of its final norm.
TEST_F(CommandLine, LogitsThatAreNoNumbersFailTheSample) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  if (testing::word_list_folder().empty()) GTEST_SKIP() << testing::kNoWordLists;
  const fs::path demo = testing::source_folder() / "models/demo";
  const fs::path model = folder_ / "nan";
  fs::create_directories(model);
  for (const char* file : {"config.json", "tokenizer.model", "tokenizer_config.json"}) {
    fs::copy_file(demo / file, model / file);
  }
  std::string weights = read_file(demo / "model.safetensors");
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, weights.data(), sizeof header_bytes);
  const Json header = parse_json(weights.substr(8, header_bytes), "header");
  const Json& norm = header.at("model.norm.weight");
  ASSERT_EQ(norm.at("dtype"), "BF16");
  const std::size_t at = 8 + header_bytes + norm.at("data_offsets").at(0).get<std::size_t>();
  weights[at] = '\xC0', weights[at + 1] = '\x7F';  // a quiet NaN, little-endian
  write_file_atomic(model / "model.safetensors", weights);

  const ProgramResult run =
      shell("ELASTIC_DATA_DIR=" + testing::word_list_folder().string() +
            " $BENCH run --model nan --tasks ruler/vt --modes fa --lengths 512 --limit 2 --profile "
            "ruler@builtin --device cpu --cache-dir cache --output out");
  EXPECT_EQ(run.code, 4) << run.err;
  EXPECT_TRUE(run.says("2 of 2 samples failed (2 nonfinite)")) << run.err;
  const std::string samples = read_file(folder_ / "out/samples.rank0.jsonl");
  const Json first = parse_json(samples.substr(0, samples.find('\n')), "samples");
  EXPECT_EQ(first.at("outcome"), "nonfinite");
  EXPECT_TRUE(first.at("score").is_null());
  EXPECT_EQ(shell("$BENCH generate --model nan --ids 1,5 --device cpu").code, 4);
}

TEST_F(CommandLine, ModesSayWhatTheyRoundTo) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  const std::string generate = "generate --model demo --device cpu --ids 1,5 --max-new-tokens 1 ";
  const ProgramResult rounded = program(generate + "--mode ssa:sink=100,local=300");
  EXPECT_EQ(rounded.code, 0) << rounded.err;
  EXPECT_TRUE(rounded.says("sink=100 acts as 128 and local=300 as 384")) << rounded.err;
  EXPECT_FALSE(program(generate + "--mode ssa:sink=128,local=256").says("acts as"));
  EXPECT_FALSE(program(generate + "--mode ssa:sink=100,local=300,block=1").says("acts as"));
  expect(generate + "--mode fa-ssa:pattern=absent.tsv", 2, "absent.tsv");
}

TEST_F(CommandLine, ABareFileNameIsScoredLikeItsPath) {
  write("mine/hotpotqa.jsonl",
        "{\"pred\": \"a\", \"answers\": [\"a\"], \"all_classes\": null, \"length\": 9}\n");
  for (const char* name : {"hotpotqa.jsonl", "./hotpotqa.jsonl", "../mine/hotpotqa.jsonl"}) {
    const ProgramResult result =
        shell("cd mine && $BENCH score --format longbench --output ../out " + std::string(name));
    EXPECT_EQ(result.code, 0) << name << ": " << result.err;
    const std::string table = read_file(folder_ / "out/results.csv");
    EXPECT_NE(table.find("\nmine,"), std::string::npos) << name << ": " << table;
  }
}

// Every example of README.md runs as it stands there, one after the other; only shorter here.
TEST_F(CommandLine, TheExamplesOfTheReadmeRun) {
  if (!testing::kHasEngine) GTEST_SKIP() << testing::kNoEngine;
  if (testing::word_list_folder().empty()) GTEST_SKIP() << testing::kNoWordLists;
  const std::string readme = read_file(testing::source_folder() / "README.md");
  const fs::path program = ELASTIC_BENCH_BINARY;
  fs::create_directory_symlink(testing::source_folder() / "models", folder_ / "models");
  fs::create_directory_symlink(program.parent_path(), folder_ / "build");
  std::string script = "set -e\nexport ELASTIC_CACHE_DIR=cache\nexport ELASTIC_DATA_DIR='" +
                       testing::word_list_folder().string() + "'\n";
  int examples = 0;
  for (std::string_view line : split(readme, '\n')) {
    if (!line.starts_with("    ") || line.find("elastic-bench ") == std::string_view::npos) {
      if (line.starts_with("    PATH=")) script += std::string(strip(line)) + "\n";
      continue;
    }
    ++examples;
    if (line.find("data fetch") != std::string_view::npos) continue;  // needs the network
    if (const std::size_t config = line.find("--config "); config != std::string_view::npos) {
      // Trainings take minutes; train_command_test and ablate_command_test run small ones.
      const std::string file(split(line.substr(config), ' ')[1]);
      EXPECT_TRUE(fs::exists(folder_ / file)) << line;
      continue;
    }
    std::string shorter = replace_all(strip(line), "--limit 10", "--limit 1 --device cpu");
    shorter = replace_all(shorter, "1k,2k,4k", "512");
    shorter = replace_all(shorter, "--lengths 4k", "--lengths 512");
    script += "echo '" + replace_all(shorter, "'", "") + "' >&2\n" + shorter + " > /dev/null\n";
  }
  EXPECT_GE(examples, 17);
  const ProgramResult result = shell(script);
  EXPECT_EQ(result.code, 0) << result.err;
}

}  // namespace
}  // namespace elastic
