#include "reports/head_scores.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace elastic::reports {
namespace {

// Two layers of four query heads over two KV heads.
HeadScores some_scores() {
  return {"demo", 2, {"ruler/niah_single_1"}, 3, {{0.25, 0.75, 0, 0.5}, {1, 0, 0, 0}}};
}

runs::RunData run_of(const std::vector<std::vector<std::string>>& routings) {
  runs::RunData run;
  run.folder = "runs/routed";
  run.spec.modes = {"fa", "fa-ssa"};
  std::int64_t index = 0;
  for (const std::vector<std::string>& routing : routings) {
    runs::SampleRecord sample;
    sample.model = "demo";
    sample.mode = "fa-ssa";
    sample.task = index < 2 ? "ruler/niah_single_1" : "ruler/vt";
    sample.index = index++;
    sample.routing = routing;
    run.samples.push_back(sample);
  }
  run.spec.tasks = {"ruler/niah_single_1", "ruler/vt"};
  return run;
}

std::vector<HeadRates> rates_of(const std::vector<std::vector<std::string>>& routings) {
  return head_rates(make_input({run_of(routings)}, {}), some_scores());
}

TEST(HeadScores, QueryHeadsAreAveragedPerKvHead) {
  EXPECT_EQ(by_kv_head(some_scores()), (HeadGrid{{0.5, 0.25}, {0.5, 0}}));
  EXPECT_EQ(pattern_text(by_kv_head(some_scores())), "0.5\t0.25\n0.5\t0\n");
}

TEST(HeadScores, AnOrderIsAPatternWhoseThresholdIsTheMsr) {
  const HeadGrid grid = {{0.5, 0.25, 0}, {0.5, 0, 0.75}, {0.125, 0.375, 0.625}, {1, 0.875, 0.0625}};
  const std::vector<std::size_t> order = ascending_heads(grid);
  EXPECT_EQ(order, (std::vector<std::size_t>{4, 2, 11, 6, 1, 7, 3, 0, 8, 5, 10, 9}))
      << "of equal scores the later head first";
  const HeadGrid gates = gates_of_order(order, 3);
  ASSERT_EQ(gates.size(), 4u);
  EXPECT_EQ(gates[1][1], 0);
  for (const auto& [threshold, wanted] : std::vector<std::pair<double, int>>{
           {0, 0}, {0.1, 2}, {0.25, 3}, {0.3, 4}, {0.5, 6}, {0.75, 9}, {0.9, 11}, {1, 12}}) {
    int sparse = 0;
    for (const std::vector<double>& layer : gates) {
      for (const double gate : layer) sparse += gate < threshold ? 1 : 0;
    }
    EXPECT_EQ(sparse, wanted) << "12 - floor(12 (1 - " << threshold << "))";
  }
}

TEST(HeadScores, RatesAreSharesOfSamplesWithAFullHead) {
  const std::vector<HeadRates> rates =
      rates_of({{"01", "11"}, {"01", "01"}, {"00", "01"}, {"01", "11"}});
  ASSERT_EQ(rates.size(), 3u);
  EXPECT_EQ(rates[0].full(), (HeadGrid{{1, 0.25}, {0.5, 0}})) << "all tasks";
  EXPECT_EQ(rates[1].full(), (HeadGrid{{1, 0}, {0.5, 0}}));
  EXPECT_EQ(rates[2].task, "ruler/vt");
  EXPECT_EQ(rates[2].full(), (HeadGrid{{1, 0.5}, {0.5, 0}}));
  const Document document = head_scores_document(some_scores(), rates);
  ASSERT_EQ(document.tables.size(), 2u);
  // Of the two best the first, with its best query head and how often it was full.
  const std::vector<Cell>& best = document.tables[0].rows.at(0);
  EXPECT_EQ(std::get<std::int64_t>(best[1].value), 0);
  EXPECT_EQ(std::get<std::int64_t>(best[2].value), 0);
  EXPECT_EQ(std::get<double>(best[3].value), 0.5);
  EXPECT_EQ(std::get<double>(best[4].value), 0.75);
  EXPECT_EQ(std::get<double>(best[5].value), 1);
  // Ranks 3.5 2 3.5 1 and 4 2 3 1.
  EXPECT_NEAR(std::get<double>(document.tables[1].rows.at(0)[1].value), 0.9487, 1e-4);
  ASSERT_EQ(document.sheets.size(), 2u);
  EXPECT_EQ(document.sheets[0].rows.size(), 8u);
  EXPECT_EQ(document.sheets[1].rows.size(), 12u);
  EXPECT_EQ(std::get<Heatmap>(document.figures.at(1).panels.at(2)).values[0][1], 0.5);
}

TEST(HeadScores, WithoutARunThereAreScoresOnly) {
  const Document document = head_scores_document(some_scores(), {});
  EXPECT_EQ(document.tables.size(), 1u);
  EXPECT_EQ(document.sheets.size(), 1u);
  EXPECT_EQ(document.figures.at(0).scale_max, 1);
}

TEST(HeadScores, RunsThatDoNotFitAreRefused) {
  for (const auto& routing : std::vector<std::vector<std::string>>{{"00", "00"}, {"010", "111"}}) {
    runs::RunData run = run_of({routing});
    run.samples[0].mode = routing[0] == "00" ? "fa" : "fa-ssa";
    EXPECT_THROW(head_rates(make_input({run}, {}), some_scores()), Error);
  }
}

}  // namespace
}  // namespace elastic::reports
