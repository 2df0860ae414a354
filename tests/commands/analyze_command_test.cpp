// `analyze heads` and `analyze sparsify` on the demo model, as a user calls them.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/commands/word_list_command.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;
using testing::Program;
using testing::ProgramResult;

class AnalyzeCommand : public testing::WordListCommand {
 protected:
  ProgramResult program(std::vector<std::string> arguments,
                        const std::vector<std::string>& more) const {
    for (const char* flag :
         {"--model", "demo", "--lengths", "512", "--limit", "2", "--device", "cpu", "--data-dir"}) {
      arguments.emplace_back(flag);
    }
    arguments.push_back(data_.string());
    arguments.insert(arguments.end(), {"--cache-dir", path("cache")});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Program(ELASTIC_BENCH_BINARY, arguments, {{"OMP_NUM_THREADS", "1"}}).wait();
  }
};

TEST_F(AnalyzeCommand, ScoresBecomeAPatternThatRuns) {
  const ProgramResult scored = program({"analyze", "heads"}, {"--output", path("heads")});
  ASSERT_EQ(scored.code, 0) << scored.err;
  const auto rows = parse_csv(read_file(path("heads/retrieval_scores.csv")), "csv");
  ASSERT_EQ(rows.size(), 1u + 6 * 12);
  double most = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i][2], std::to_string((i - 1) % 12 / 2)) << "KV head";
    EXPECT_EQ(rows[i][5], "2") << "samples";
    const double score = std::stod(rows[i][3]);
    EXPECT_TRUE(score >= 0 && score <= 1);
    most = std::max(most, score);
  }
  EXPECT_GT(most, 0.2) << "some head of the demo finds needles";
  EXPECT_FALSE(fs::exists(path("heads/static.tsv")));
  EXPECT_NE(read_file(path("heads/config.json")).find("\"recent_size\": 256"), std::string::npos);

  const std::string duo = "duo:pattern=" + path("heads/full_attention_heads.tsv");
  const ProgramResult routed = program(
      {"run", "--tasks", "ruler/niah_single_1", "--modes", "fa-ssa," + duo + ",sparsity=0.3"},
      {"--output", path("run")});
  ASSERT_EQ(routed.code, 0) << routed.err;
  EXPECT_NE(read_file(path("run/run.json")).find("duo:sink=128,local=256,prefill=dense"),
            std::string::npos);

  const ProgramResult compared =
      program({"analyze", "heads"}, {"--output", path("both"), "--run", path("run")});
  ASSERT_EQ(compared.code, 0) << compared.err;
  EXPECT_TRUE(compared.says("Retrieval scores against the router"));
  EXPECT_EQ(parse_csv(read_file(path("both/full_rates.csv")), "csv").size(), 1u + 2 * 36);
  EXPECT_EQ(read_file(path("both/full_attention_heads.tsv")),
            read_file(path("heads/full_attention_heads.tsv")));
  EXPECT_TRUE(fs::exists(path("both/static.tsv")));
}

// Mode -> routing of its samples, which have to agree, joined to one text; checks their MSR.
std::map<std::string, std::string> routing_of(const std::string& run) {
  std::map<std::string, std::string> routings;
  const std::string records = run + "/samples.rank0.jsonl", text = read_file(records);
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    const Json sample = parse_json(line, records);
    const std::string mode = sample.at("mode");
    std::string routing;
    for (const Json& layer : sample.at("routing")) routing += layer.get<std::string>();
    const auto sparse = static_cast<double>(std::count(routing.begin(), routing.end(), '1'));
    EXPECT_DOUBLE_EQ(sample.at("msr").get<double>(), sparse / static_cast<double>(routing.size()));
    EXPECT_EQ(routings.try_emplace(mode, routing).first->second, routing) << mode;
  }
  return routings;
}

TEST_F(AnalyzeCommand, HeadsTurnSparseOneAfterAnother) {
  ASSERT_EQ(program({"analyze", "heads"}, {"--output", path("heads")}).code, 0);
  const std::vector<std::string> flags = {
      "--heads",  path("heads"), "--order", "score,random",
      "--msr",    "0,0.2,0.5,1", "--tasks", "ruler/niah_single_1,ruler/vt",
      "--output", path("sweep"), "--mode",  "fa-ssa:local=128"};
  const ProgramResult swept = program({"analyze", "sparsify"}, flags);
  ASSERT_EQ(swept.code, 0) << swept.err;
  EXPECT_TRUE(swept.says("RULER: score by MSR"));
  const std::map<std::string, std::string> routings = routing_of(path("sweep"));
  ASSERT_EQ(routings.size(), 1u + 2 * 3) << "dense attention, and each order";
  EXPECT_EQ(routings.at("fa"), std::string(36, '0'));
  std::vector<std::string> halves;
  for (const char* order : {"score", "random"}) {
    const auto at = [&](const char* msr) -> const std::string& {
      return routings.at("fa-ssa:local=128,pattern=" + path("heads/order_") + order +
                         ".tsv,threshold=" + msr);
    };
    const std::string &fifth = at("0.2"), &half = at("0.5");
    EXPECT_EQ(std::count(fifth.begin(), fifth.end(), '1'), 8) << "36 - floor(0.8 * 36)";
    EXPECT_EQ(std::count(half.begin(), half.end(), '1'), 18);
    for (std::size_t head = 0; head < half.size(); ++head) {
      EXPECT_LE(fifth[head], half[head]) << "what is sparse stays so";
    }
    EXPECT_EQ(at("1"), std::string(36, '1'));
    halves.push_back(half);
  }
  EXPECT_NE(halves[0], halves[1]);
  const auto rows = parse_csv(read_file(path("sweep/report/sparsification.csv")), "csv");
  EXPECT_EQ(rows.size(), 1u + 2 * 4 * 3) << "retrieval, tracing and both";
  EXPECT_TRUE(fs::exists(path("sweep/report/figures/sparsification_ruler.svg")));
  const ProgramResult again = program({"analyze", "sparsify"}, flags);
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.err.find("nothing to do"), std::string::npos) << again.err;
}

TEST_F(AnalyzeCommand, SweepsThatCannotRunAreRefused) {
  fs::create_directories(path("empty"));
  const auto expect = [&](const std::vector<std::string>& more, const std::string& part) {
    const ProgramResult result =
        program({"analyze", "sparsify", "--tasks", "ruler/vt", "--output", path("out")}, more);
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
  };
  expect({}, "--heads");
  expect({"--heads", path("nowhere")}, "--heads");
  expect({"--heads", path("empty")}, "order_score.tsv is not there");
  expect({"--heads", path("empty"), "--order", "best"}, "--order: `best` is not one of score");
  expect({"--heads", path("empty"), "--msr", "0,1.5"}, "--msr: `1.5` is no share of heads");
  expect({"--heads", path("empty"), "--order", ""}, "--modes, --order or --msr is empty");
}

TEST_F(AnalyzeCommand, FaultsAreNamed) {
  const auto expect = [&](const std::vector<std::string>& more, const std::string& part) {
    const ProgramResult result = program({"analyze", "heads"}, more);
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
  };
  expect({}, "--output is missing");
  expect({"--output", path("out"), "--run", path("nowhere")}, "--run");
}

}  // namespace
}  // namespace elastic
