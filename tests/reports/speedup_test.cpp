// Speed-ups: one definition, wherever a report shows one.

#include "reports/speedup.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/csv.h"
#include "base/json.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

using runs::RunData;

void add_sample(RunData& run, const std::string& mode, std::int64_t length, std::int64_t index,
                double prefill_ms) {
  run.samples.push_back(make_sample(mode, "ruler/a", length, index, 1));
  run.samples.back().prefill_ms = prefill_ms;
}

// Seven samples whose own times differ widely; the mode takes half the dense time but for one
// sample that something else slowed down.
RunData run_with_an_outlier() {
  RunData run;
  for (int i = 0; i < 7; ++i) {
    add_sample(run, "fa", 1024, i, 100 * (i + 1));
    add_sample(run, "ssa", 1024, i, i == 6 ? 70000 : 50 * (i + 1));
  }
  return run;
}

std::vector<std::size_t> samples_of(const ReportInput& input, const std::string& mode) {
  return runs::find_cell(input.runs[0].summary.overall, "m", mode, "ruler", 0)->samples;
}

TEST(Speedup, OneSlowSampleDoesNotMoveIt) {
  const ReportInput input = input_of(run_with_an_outlier());
  const auto speedup = prefill_speedup(input.runs[0], samples_of(input, "ssa"));
  ASSERT_TRUE(speedup && speedup->interval);
  EXPECT_DOUBLE_EQ(speedup->value, 2);
  EXPECT_EQ(speedup->n, 7);
  EXPECT_DOUBLE_EQ(speedup->interval->low, 700.0 / 70000) << "ranks 1 and 7 of 7";
  EXPECT_DOUBLE_EQ(speedup->interval->high, 2);
  const auto dense = prefill_speedup(input.runs[0], samples_of(input, "fa"));
  EXPECT_EQ(dense->value, 1);
  EXPECT_FALSE(dense->interval);
}

TEST(Speedup, LengthsCountOnceAndByTheirProduct) {
  RunData run;
  for (int i = 0; i < 12; ++i) {
    add_sample(run, "fa", 1024, i, 100);
    add_sample(run, "ssa", 1024, i, 200);
    if (i >= 6) continue;
    add_sample(run, "fa", 2048, i, 100);
    add_sample(run, "ssa", 2048, i, 12.5);
  }
  const ReportInput input = input_of(std::move(run));
  const auto speedup = prefill_speedup(input.runs[0], samples_of(input, "ssa"));
  ASSERT_TRUE(speedup && speedup->interval);
  EXPECT_NEAR(speedup->value, std::sqrt(0.5 * 8), 1e-12);
  EXPECT_NEAR(speedup->interval->low, 2, 1e-12) << "no variation, no width";
  EXPECT_EQ(speedup->rule, "geometric mean of 2 lengths");
  // One length alone, as a row of the latency table.
  const auto& by_length = input.runs[0].summary.by_length;
  EXPECT_DOUBLE_EQ(
      prefill_speedup(input.runs[0], runs::find_cell(by_length, "m", "ssa", "ruler", 1024)->samples)
          ->value,
      0.5);
  EXPECT_DOUBLE_EQ(
      prefill_speedup(input.runs[0], runs::find_cell(by_length, "m", "ssa", "ruler", 2048)->samples)
          ->value,
      8);
}

TEST(Speedup, UnknownWithoutPairs) {
  RunData run;
  add_sample(run, "fa", 1024, 0, 100);
  add_sample(run, "ssa", 1024, 1, 100);  // another sample
  add_sample(run, "ssa", 2048, 0, 100);  // another length
  add_sample(run, "xa", 1024, 0, 0);     // no time
  const ReportInput input = input_of(std::move(run));
  EXPECT_FALSE(prefill_speedup(input.runs[0], samples_of(input, "ssa")));
  EXPECT_FALSE(prefill_speedup(input.runs[0], samples_of(input, "xa")));
  EXPECT_FALSE(prefill_speedup(input.runs[0], {}));
}

// Mean of ratios 1.71, ratio of medians 2.29: the report knows neither, 2 everywhere.
TEST(Speedup, IsTheSameInEveryTable) {
  RunData run = run_with_an_outlier();
  for (runs::SampleRecord& sample : run.samples) {
    if (sample.mode == "fa" && sample.index == 3) *sample.prefill_ms = 460;
  }
  const auto files = report_files(std::move(run));
  EXPECT_TRUE(contains(files.at("tables/overview.md"), "2.00 (0.01-2.30)"))
      << files.at("tables/overview.md");
  EXPECT_TRUE(contains(files.at("tables/latency.md"), "2.00 (0.01-2.30)"))
      << files.at("tables/latency.md");
  EXPECT_TRUE(contains(files.at("tables/break_even.md"), "| ssa  | &lt;= 1k"))
      << files.at("tables/break_even.md");
  const Json pareto = parse_json(files.at("pareto.json"), "pareto.json");
  EXPECT_EQ(pareto["rows"][1]["prefill_speedup_vs_fa"], 2.0);
  EXPECT_EQ(pareto["rows"][1]["prefill_speedup_ci"], (Json{0.01, 2.3}));
}

std::string break_even(const std::vector<std::pair<std::int64_t, double>>& ssa_ms) {
  RunData run;
  for (const auto& [length, ms] : ssa_ms) {
    add_sample(run, "fa", length, 0, 100);
    add_sample(run, "ssa", length, 0, ms);
  }
  const std::string table = report_files(std::move(run)).at("tables/break_even.md");
  const std::size_t row = table.find("| ssa");
  return std::string(table.substr(row, table.find('\n', row) - row));
}

TEST(Speedup, BreakEvenIsWhereItStaysAtOneOrAbove) {
  EXPECT_TRUE(contains(break_even({{1024, 100}, {2048, 90}}), "&lt;= 1k")) << "equal is not slower";
  EXPECT_TRUE(contains(break_even({{1024, 101}, {2048, 100}, {4096, 50}}), "| 2k"));
  EXPECT_TRUE(contains(break_even({{1024, 50}, {2048, 120}, {4096, 80}}), "| 4k"));
  EXPECT_TRUE(contains(break_even({{1024, 50}, {2048, 120}}), "none in range"));
}

}  // namespace
}  // namespace elastic::reports
