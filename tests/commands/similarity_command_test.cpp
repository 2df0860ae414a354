// `similarity` on the demo model, as a user calls it.

#include <gtest/gtest.h>

#include "base/csv.h"
#include "base/file.h"
#include "tests/commands/word_list_command.h"
#include "tests/testing/program.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;
using testing::Program;
using testing::ProgramResult;

class SimilarityCommand : public testing::WordListCommand {
 protected:
  ProgramResult similarity(const std::string& tasks, const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"similarity", "--model",    "demo",         "--tasks",
                                       tasks,        "--lengths",  "512",          "--limit",
                                       "2",          "--device",   "cpu",          "--output",
                                       path("out"),  "--data-dir", data_.string(), "--cache-dir",
                                       path("cache")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Program(ELASTIC_BENCH_BINARY, arguments, {{"OMP_NUM_THREADS", "1"}}).wait();
  }
};

TEST_F(SimilarityCommand, WritesTheMatrixOfEachLayer) {
  const ProgramResult result =
      similarity("ruler/niah_single_1,ruler/niah_single_2,ruler/fwe", {"--layers", "0,2"});
  ASSERT_EQ(result.code, 0) << result.err;
  const auto rows = parse_csv(read_file(path("out/task_similarity.csv")), "csv");
  ASSERT_EQ(rows.size(), 1u + 2 * 3 * 3);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i][1], i <= 9 ? "0" : "2");
    EXPECT_EQ(rows[i][6], "2");  // samples
    if (rows[i][2] != rows[i][3]) continue;
    EXPECT_EQ(std::stod(rows[i][4]), 1.0);
  }
  // Needles in two haystacks are more alike to the router than needles and word counting.
  EXPECT_EQ(rows[2][3], "ruler/niah_single_2");
  EXPECT_EQ(rows[3][3], "ruler/fwe");
  EXPECT_GT(std::stod(rows[2][5]), std::stod(rows[3][5]));
  const std::string page = read_file(path("out/report.html"));
  EXPECT_NE(page.find("Task similarity, demo, layer 2"), std::string::npos);
  EXPECT_NE(page.find("Task similarity, paper"), std::string::npos);
}

TEST_F(SimilarityCommand, CategoriesPutTheirTasksTogether) {
  const ProgramResult result =
      similarity("ruler/niah_single_1,ruler/niah_single_2,ruler/fwe", {"--by", "category"});
  ASSERT_EQ(result.code, 0) << result.err;
  const auto rows = parse_csv(read_file(path("out/task_similarity.csv")), "csv");
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[1][6], "4");
}

TEST_F(SimilarityCommand, WhatCannotBeComparedIsRefused) {
  const auto refused = [&](const std::string& tasks, const std::vector<std::string>& more,
                           const char* words) {
    const ProgramResult result = similarity(tasks, more);
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_TRUE(result.says(words)) << result.err;
    EXPECT_FALSE(fs::exists(path("out")));
  };
  refused("ruler/vt", {}, "at least two tasks");
  refused("ruler/vt,ruler/fwe", {"--layers", "99"}, "`99` is no layer");
  refused("ruler/vt,ruler/fwe", {"--mode", "fa"}, "mode `fa` has no router");
  refused("ruler/vt,ruler/fwe", {"--by", "length"}, "--by");
}

}  // namespace
}  // namespace elastic
