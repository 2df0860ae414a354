// `elastic-bench report` on the fixture run, as a user calls it.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "tests/testing/folders.h"

namespace elastic {
namespace {

namespace fs = std::filesystem;

int run_program(const std::string& arguments, const fs::path& output) {
  const std::string line = "\"" ELASTIC_BENCH_BINARY "\" " + arguments + " > \"" +
                           (output / "stdout").string() + "\" 2> \"" +
                           (output / "stderr").string() + "\"";
  const int status = std::system(line.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string quoted(const fs::path& path) { return "\"" + path.string() + "\""; }

TEST(ReportCommand, WritesEveryFileAndPrintsTheTables) {
  const testing::TemporaryFolder folder;
  const fs::path run = testing::fixture("reports/run"), out = folder / "out";
  ASSERT_EQ(run_program("report " + quoted(run) + " --output " + quoted(out), folder.path()), 0)
      << read_file(folder / "stderr");
  for (const char* name :
       {"results.csv", "results.json", "pareto.csv", "pareto.json", "head_routing.csv",
        "head_routing.json", "report.html", "tables/overview.md", "tables/score_ruler.tex"}) {
    EXPECT_TRUE(fs::exists(out / name)) << name;
  }
  // The same bytes as the library's goldens: the command adds nothing of its own.
  EXPECT_EQ(read_file(out / "results.csv"),
            read_file(testing::fixture("reports/expected/results.csv")));
  EXPECT_NE(read_file(folder / "stdout").find("| niah_single_1 | fa "), std::string::npos);
  EXPECT_NE(read_file(folder / "stderr").find("planned samples have a score"), std::string::npos);
  EXPECT_TRUE(read_json(out / "results.json").contains("results"));
}

TEST(ReportCommand, FormatsAreChosenAndCheckedBeforeWriting) {
  const testing::TemporaryFolder folder;
  const fs::path run = testing::fixture("reports/run");
  const std::string base = "report " + quoted(run) + " --output " + quoted(folder / "out");
  EXPECT_EQ(run_program(base + " --format csv,markdown", folder.path()), 2);
  EXPECT_NE(read_file(folder / "stderr").find("unknown format `markdown`"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder / "out" / "results.csv"));
  EXPECT_EQ(run_program(base + " --format csv", folder.path()), 0);
  EXPECT_TRUE(fs::exists(folder / "out" / "results.csv"));
  EXPECT_FALSE(fs::exists(folder / "out" / "report.html"));
}

TEST(ReportCommand, FaultsAreNamed) {
  const testing::TemporaryFolder folder;
  const fs::path run = testing::fixture("reports/run");
  const std::string out = " --output " + quoted(folder / "out");
  EXPECT_EQ(run_program("report " + quoted(folder / "absent") + out, folder.path()), 2);
  EXPECT_EQ(run_program("report " + quoted(run) + " " + quoted(run) + out, folder.path()), 2);
  EXPECT_NE(read_file(folder / "stderr").find("the same run is given twice"), std::string::npos);
  EXPECT_EQ(run_program("report " + quoted(run), folder.path()), 2);  // no --output
}

}  // namespace
}  // namespace elastic
