#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

const std::string kOrder = "fa-ssa:local=64,pattern=heads/order_score.tsv";

// Two QA tasks and one of code, two samples each; `score` of both QA tasks, code has it whole.
void add_mode(runs::RunData& run, const std::string& mode, double msr, double score) {
  run.spec.modes.push_back(mode);
  for (const char* task : {"longbench/qasper", "longbench/hotpot", "longbench/lcc"}) {
    for (std::int64_t i = 0; i < 2; ++i) {
      run.samples.push_back(
          make_sample(mode, task, 0, i, task == std::string("longbench/lcc") ? 1 : score));
      run.samples.back().msr = msr;
    }
  }
}

runs::RunData run_of(const std::vector<std::pair<std::string, double>>& modes) {
  runs::RunData run;
  run.folder = "runs/sweep";
  run.spec.tasks = {"longbench/qasper", "longbench/hotpot", "longbench/lcc"};
  run.spec.categories = {{"longbench/qasper", "Multi-Doc QA"},
                         {"longbench/hotpot", "Multi-Doc QA"},
                         {"longbench/lcc", "Code"}};
  for (const auto& [mode, msr] : modes) add_mode(run, mode, msr, 0.8 - msr / 2);
  return run;
}

runs::RunData swept() {
  return run_of({{"fa", 0},
                 {kOrder + ",threshold=1", 1},
                 {kOrder + ",threshold=0.1", 0.125},
                 {"fa-ssa:heads=random,sparsity=0.5,seed=1", 0.5}});
}

TEST(Sparsification, ATableOfScoresByCategoryAndRecordedMsr) {
  const Document document = document_of("sparsification", input_of(swept()));
  ASSERT_EQ(document.tables.size(), 2u);
  EXPECT_EQ(document.tables[0].id, "sparsification_longbench");
  // Without the name of the sweep, at the beginning of every row.
  const auto rows_of = [](const Table& table) {
    return replace_all(markdown_table(table), "| " + kOrder, "> ");
  };
  const std::string scores = rows_of(document.tables[0]), kept = rows_of(document.tables[1]);
  EXPECT_TRUE(contains(scores, "|   MSR |         Multi-Doc QA |                   Code |"))
      << scores;
  EXPECT_TRUE(scores.ends_with(
      ">  | 0.000 | 80.0 (39.2-92.9) n 4 | 100.0 (34.2-100.0) n 2 | 86.7 (51.7-95.3) n 6 |\n"
      ">  | 0.125 | 73.8 (35.2-90.2) n 4 | 100.0 (34.2-100.0) n 2 | 82.5 (48.7-93.5) n 6 |\n"
      ">  | 1.000 | 30.0 (11.4-67.2) n 4 | 100.0 (34.2-100.0) n 2 | 53.3 (28.2-78.1) n 6 |\n"))
      << scores;
  EXPECT_TRUE(contains(kept,
                       ">  | 0.000 |        100.0 | 100.0 |     100.0 |\n"
                       ">  | 0.125 |         92.2 | 100.0 |      95.2 |\n"
                       ">  | 1.000 |         37.5 | 100.0 |      61.5 |\n"
                       "| paper, Llama-3.1-8B-Instruct                  | 0.000 |        100.0 | "
                       "100.0 |         – |\n"
                       "| paper, Llama-3.1-8B-Instruct                  | 0.100 |         96.2 |  "
                       "99.1 |         – |\n"))
      << kept;
}

TEST(Sparsification, EveryPointIsASheetRow) {
  const Document document = document_of("sparsification", input_of(swept()));
  ASSERT_EQ(document.sheets.size(), 1u);
  const auto& rows = document.sheets[0].rows;
  ASSERT_EQ(rows.size(), 3u * 3) << "of dense attention and two cuts";
  EXPECT_EQ(rows[3][2], Value(kOrder));
  EXPECT_EQ(rows[3][3], Value(kOrder + ",threshold=0.1"));
  EXPECT_EQ(rows[3][4], Value(0.125)) << "as recorded, not as asked";
  EXPECT_EQ(rows[3][5], Value("Multi-Doc QA"));
  EXPECT_EQ(rows[3][6], Value(73.75));
  EXPECT_EQ(rows[3][9], Value(92.1875)) << "of 80";
  EXPECT_EQ(rows[3][10], Value(std::int64_t{4}));
  const auto& chart = std::get<Chart>(document.figures.at(0).panels.at(0));
  EXPECT_EQ(chart.title, "fa-ssa:local=64,pattern=order_score.tsv");
  ASSERT_EQ(chart.series.size(), 3u);
  EXPECT_EQ(chart.series[0].name, "Multi-Doc QA");
  ASSERT_EQ(chart.series[0].points.size(), 3u);
  EXPECT_EQ(chart.series[0].points[2].x, 1);
  EXPECT_DOUBLE_EQ(chart.series[0].points[2].y, 30);
  EXPECT_EQ(document.figures[0].panels.size(), 1u) << "one sweep has nothing to stand beside";
}

TEST(Sparsification, OrdersAreComparedInAPanelOfTheirOwn) {
  runs::RunData run = swept();
  add_mode(run, "fa-ssa:heads=random,seed=1,sparsity=0.25", 0.25, 0.1);
  add_mode(run, "fa-ssa:heads=random,sparsity=0.75,seed=1", 0.75, 0);
  const Document document = document_of("sparsification", input_of(std::move(run)));
  ASSERT_EQ(document.figures.size(), 1u);
  ASSERT_EQ(document.figures[0].panels.size(), 3u);
  const auto& chart = std::get<Chart>(document.figures[0].panels[2]);
  ASSERT_EQ(chart.series.size(), 2u);
  EXPECT_EQ(chart.series[1].name, "fa-ssa:heads=random,seed=1");
  EXPECT_EQ(chart.series[1].points.size(), 4u);
}

TEST(Sparsification, WithoutDenseAttentionNothingIsKnownToBeKept) {
  const Document document = document_of(
      "sparsification",
      input_of(
          run_of({{"duo:sparsity=0.2", 0.2}, {"duo:sparsity=0.5", 0.5}, {"duo:sparsity=1", 1}})));
  ASSERT_EQ(document.sheets.size(), 1u);
  EXPECT_EQ(document.sheets[0].rows[0][2], Value("duo"));
  EXPECT_EQ(document.sheets[0].rows[0][9], Value());
}

TEST(Sparsification, AFewModesAreNoSweep) {
  const Document document =
      document_of("sparsification", input_of(run_of({{"fa", 0},
                                                     {"fa-ssa", 0.5},
                                                     {"fa-ssa:local=64", 0.5},
                                                     {"fa-ssa:local=128", 0.5},
                                                     {kOrder + ",threshold=0.1", 0.125}})));
  EXPECT_TRUE(document.empty());
  EXPECT_TRUE(document.sheets.empty());
}

}  // namespace
}  // namespace elastic::reports
