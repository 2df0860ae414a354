// `analyze heads` on the demo model, as a user calls it.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/csv.h"
#include "base/file.h"
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
