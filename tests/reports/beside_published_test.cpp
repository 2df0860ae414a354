// The paper's numbers beside a run's: which rows and columns stand there, and that ours re-add.

#include <gtest/gtest.h>

#include "reports/published.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

runs::RunData run_of(const std::string& model) {
  runs::RunData run;
  run.folder = "runs/x";
  for (const char* mode : {"fa", "fa-ssa:local=256", "ssa"}) {
    for (const char* task : {"longbench_e/lcc", "longbench_e/repobench-p", "ruler/vt"}) {
      for (int i = 0; i < 4; ++i) {
        run.samples.push_back(make_sample(mode, task, 0, i, i * .25));
        run.samples.back().model = model;
      }
    }
  }
  return run;
}

const Sheet& published_sheet(const Document& document) { return document.sheets.at(0); }

TEST(BesidePublished, RowsAreTheModesThatThePaperHas) {
  const Document document = document_of("published", input_of(run_of("Qwen3-8B+routers")));
  std::string rows;
  for (const auto& row : published_sheet(document).rows) {
    for (const std::size_t i : {3, 4, 5, 6}) rows += std::get<std::string>(row[i]) + " ";
    rows += "\n";
    EXPECT_EQ(row[2], Value("Qwen3-8B"));
    const PublishedNumber* printed =
        find_published(std::get<std::string>(row[3]), "Qwen3-8B", std::get<std::string>(row[4]),
                       std::get<std::string>(row[5]), std::get<std::string>(row[6]));
    ASSERT_NE(printed, nullptr);
    EXPECT_EQ(row[7], Value(printed->value));
  }
  EXPECT_TRUE(contains(rows, "table1 FA Code score \n")) << rows;
  EXPECT_TRUE(contains(rows, "table1 FA-SSA Code score \n"));
  EXPECT_TRUE(contains(rows, "table1 FA-SSA Code msr \n"));
  EXPECT_FALSE(contains(rows, "DuoAttention")) << "not run";
  EXPECT_FALSE(contains(rows, "RULER")) << "vt is not among the paper's tasks";
}

// Code: the plain mean of two sets, 37.5 each here.
TEST(BesidePublished, OursAreMadeOfTheSamples) {
  const Document document = document_of("published", input_of(run_of("Qwen3-4B")));
  ASSERT_FALSE(document.tables.empty());
  const Table& table = document.tables[0];
  EXPECT_EQ(table.id, "published_table1_score");
  ASSERT_EQ(table.rows.size(), 4u);
  const auto code = std::find_if(table.columns.begin(), table.columns.end(),
                                 [](const Column& column) { return column.key == "Code"; });
  const auto at = static_cast<std::size_t>(code - table.columns.begin());
  EXPECT_EQ(table.rows[0][1].value, Value("paper, Qwen3-4B"));
  EXPECT_EQ(table.rows[0][at].value, Value(54.38));
  EXPECT_EQ(table.rows[1][1].value, Value("here, Qwen3-4B"));
  EXPECT_EQ(table.rows[1][at].value, Value(37.5));
  EXPECT_EQ(table.rows[1][at].n, 8);
  EXPECT_EQ(table.rows[1][at].planned, 600);
}

TEST(BesidePublished, AnotherModelIsSaidToBeOne) {
  const auto caption = [](const std::string& model) {
    return document_of("published", input_of(run_of(model))).tables.at(0).caption;
  };
  const std::string_view other = "another model than the paper's";
  EXPECT_TRUE(contains(caption("demo"), other));
  EXPECT_TRUE(contains(caption("Qwen3-4B-Base"), other)) << "other weights";
  for (const char* same : {"Qwen3-4B", "qwen3_4b", "Meta-Llama-3.1-8B-Instruct"}) {
    EXPECT_FALSE(contains(caption(same), other)) << same;
  }
}

TEST(BesidePublished, NothingWhereThePaperHasNoSuchTask) {
  runs::RunData run;
  run.samples.push_back(make_sample("fa", "ruler/vt", 1024, 0, 1));
  EXPECT_TRUE(document_of("published", input_of(std::move(run))).empty());
}

}  // namespace
}  // namespace elastic::reports
