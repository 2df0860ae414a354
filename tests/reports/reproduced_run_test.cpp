// Tables of the paper made again from runs of a few samples: which samples a column is made of,
// which mean it is, and what is said of numbers that cannot be compared.

#include "reports/reproduced_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace elastic::reports {
namespace {

using runs::RunData;
using runs::SampleRecord;

SampleRecord sample(const std::string& mode, const std::string& task, std::int64_t index,
                    double score, double msr = 0) {
  SampleRecord record;
  record.mode = mode;
  record.task = task;
  record.index = index;
  record.score = score;
  record.msr = msr;
  return record;
}

RunData run_of(std::vector<SampleRecord> samples) {
  RunData run;
  run.samples = std::move(samples);
  return run;
}

PaperTable table_of(const std::string& experiment, std::vector<PaperRow> rows) {
  return {experiment, "Qwen3-4B", std::move(rows), paper_columns(experiment), {}};
}

const ReproducedNumber& find(const std::vector<ReproducedNumber>& numbers, const std::string& row,
                             const std::string& column, const std::string& quantity = "score") {
  const auto found = std::find_if(numbers.begin(), numbers.end(), [&](const auto& number) {
    return number.row == row && number.column == column && number.quantity == quantity;
  });
  if (found == numbers.end()) throw std::out_of_range(row + ", " + column);
  return *found;
}

bool says(const ReproducedNumber& number, std::string_view words) {
  return std::any_of(number.obstacles.begin(), number.obstacles.end(),
                     [&](const auto& text) { return text.find(words) != std::string::npos; });
}

TEST(PaperColumns, AreMadeOfThePapersSamples) {
  const std::vector<PaperColumn> categories = paper_columns("table1");
  ASSERT_EQ(categories.size(), 7u);
  EXPECT_EQ(categories[0].tasks,
            (std::vector<std::string>{"longbench_e/multifieldqa_en", "longbench_e/qasper"}));
  EXPECT_EQ(categories[6].samples, 3668);
  EXPECT_EQ(tasks_of(categories).size(), 13u);
  const std::vector<PaperColumn> lengths = paper_columns("table2");
  EXPECT_EQ(lengths[0].name, "8K");
  EXPECT_EQ(lengths[5].name, "256K");
  EXPECT_EQ(lengths[5].samples, 11 * 50);
  EXPECT_EQ(lengths[6].samples, 6 * 11 * 50);
  EXPECT_EQ(lengths[9].samples, 416);
  EXPECT_EQ(ruler_column(1000).name, "1000");
  EXPECT_TRUE(paper_columns("fig3").empty());
}

TEST(ReproducedRun, ACategoryIsTheMeanOfItsSetsAndTheAverageThatOfAllSamples) {
  RunData run = run_of({sample("fa-ssa", "longbench_e/lcc", 0, 1, .75),
                        sample("fa-ssa", "longbench_e/lcc", 1, 1, .75),
                        sample("fa-ssa", "longbench_e/lcc", 2, 0, .75),
                        sample("fa-ssa", "longbench_e/repobench-p", 0, 0, .25),
                        sample("fa-ssa", "longbench_e/trec", 0, 1, .5)});
  const auto numbers = reproduced_run(table_of("table1", {{"FA-SSA", "fa-ssa", ""}}), run);
  const ReproducedNumber& code = find(numbers, "FA-SSA", "Code");
  EXPECT_NEAR(code.measured->value, 100.0 / 3, 1e-9);  // of 2/3 and 0
  EXPECT_EQ(code.measured->n, 4);
  EXPECT_EQ(code.samples, 600);
  EXPECT_EQ(code.published, 54.34);
  EXPECT_EQ(code.slips.size(), 2u);
  EXPECT_TRUE(says(code, "fewer samples than the paper's"));
  EXPECT_NEAR(find(numbers, "FA-SSA", "avg").measured->value, 60, 1e-9);
  // MSR: .5 of code, .5 of In-Context; the other categories have no samples.
  const ReproducedNumber& msr = find(numbers, "FA-SSA", "avg", "msr");
  EXPECT_NEAR(msr.measured->value, .5, 1e-9);
  EXPECT_TRUE(says(msr, "without Summ"));
  const ReproducedNumber& absent = find(numbers, "FA-SSA", "Synthetic");
  EXPECT_FALSE(absent.measured);
  EXPECT_EQ(absent.obstacles, (std::vector<std::string>{"no samples of it in the run"}));
}

TEST(ReproducedRun, DifferencesAreOfPairs) {
  RunData run =
      run_of({sample("fa", "longbench_e/lcc", 0, 1), sample("fa", "longbench_e/lcc", 1, 0),
              sample("fa", "longbench_e/lcc", 2, 1), sample("fa-ssa", "longbench_e/lcc", 0, 0),
              sample("fa-ssa", "longbench_e/lcc", 1, 0)});  // the third is not there
  const auto numbers =
      reproduced_run(table_of("table1", {{"FA", "fa", ""}, {"FA-SSA", "fa-ssa", ""}}), run);
  const ReproducedNumber& code = find(numbers, "FA-SSA - FA", "Code");
  EXPECT_TRUE(code.between_rows);
  EXPECT_NEAR(code.measured->value, -50, 1e-9);
  EXPECT_EQ(code.measured->n, 2);
  EXPECT_NEAR(*code.published, 54.34 - 54.38, 1e-9);
  // Table 5 has no such row, and nothing is said of rows that were not run.
  const auto alone = reproduced_run(table_of("table1", {{"FA-SSA", "fa-ssa", ""}}), run);
  EXPECT_TRUE(
      std::none_of(alone.begin(), alone.end(), [](const auto& n) { return n.between_rows; }));
}

TEST(ReproducedRun, SaysWhatStandsInTheWayOfComparing) {
  RunData run =
      run_of({sample("moba", "longbench/lcc", 0, 1), sample("moba", "longbench/lcc", 1, 1)});
  run.samples[0].truncated_tokens = 5;
  run.samples[1].outcome = runs::Outcome::kOom;
  run.spec.settings["profile_longbench"] = "longbench@builtin";
  run.spec.mode_options["moba"] = "moba:chunk=1024,weights=untrained";
  PaperTable table = table_of("table8", {{"MoBA", "moba", ""}, {"NSA", "", "not run: too slow"}});
  table.obstacles = {"another model than the paper's"};
  const auto numbers = reproduced_run(table, run);
  const ReproducedNumber& code = find(numbers, "MoBA", "Code");
  EXPECT_EQ(code.measured->n, 1);
  for (const char* words : {"another model", "samples of LongBench, not of LongBench-E",
                            "without longbench_e/repobench-p", "our own words", "prompts cut",
                            "samples that failed", "not trained for it", "fewer samples"}) {
    EXPECT_TRUE(says(code, words)) << words;
  }
  EXPECT_EQ(find(numbers, "NSA", "Code").obstacles,
            (std::vector<std::string>{"not run: too slow"}));
}

TEST(ReproducedRun, LengthsAndDifficultiesAreApart) {
  std::vector<SampleRecord> samples;
  for (const std::int64_t length : {1024, 8192}) {
    samples.push_back(sample("fa", "ruler/fwe", 0, length == 8192 ? 1 : .5));
    samples.back().length = length;
    samples.push_back(sample("fa", "ruler/qa_1", 0, 0));
    samples.back().length = length;
  }
  samples.push_back(sample("fa", "longbench_v2", 0, 1));
  samples.back().strata["difficulty"] = "hard";
  PaperTable table = table_of("table2", {{"FA", "fa", ""}});
  table.columns.insert(table.columns.begin(), ruler_column(1024));
  const auto numbers = reproduced_run(table, run_of(samples));
  EXPECT_NEAR(find(numbers, "FA", "8K").measured->value, 50, 1e-9);
  const ReproducedNumber& own = find(numbers, "FA", "1K");
  EXPECT_NEAR(own.measured->value, 25, 1e-9);
  EXPECT_FALSE(own.published);
  const ReproducedNumber& mean = find(numbers, "FA", "RULER");
  EXPECT_NEAR(mean.measured->value, 37.5, 1e-9);
  EXPECT_TRUE(says(mean, "the mean of 1k, 8k alone"));
  EXPECT_NEAR(find(numbers, "FA", "hard").measured->value, 100, 1e-9);
  EXPECT_FALSE(find(numbers, "FA", "easy").measured);
  EXPECT_EQ(find(numbers, "FA", "LongBench-v2").measured->n, 1);
}

TEST(ReproducedRun, SpeedUpsAreOverDenseAttentionOfTheSameSample) {
  std::vector<SampleRecord> samples;
  for (std::int64_t i = 0; i < 3; ++i) {
    samples.push_back(sample("fa", "longbench_v2", i, 0));
    samples.back().prefill_ms = 100;
    samples.push_back(sample("fa-ssa", "longbench_v2", i, 1));
    samples.back().prefill_ms = 50;
  }
  PaperTable table{
      "fig1", "Qwen3-8B", {{"FA", "fa", ""}, {"FA-SSA", "fa-ssa", ""}}, paper_columns("fig1"), {}};
  const auto numbers = reproduced_run(table, run_of(samples));
  EXPECT_EQ(find(numbers, "FA-SSA", "LongBench-v2", "speedup").measured->value, 2);
  EXPECT_EQ(find(numbers, "FA-SSA", "LongBench-v2", "speedup").published, 2.14);
  EXPECT_EQ(find(numbers, "FA", "LongBench-v2", "speedup").measured->value, 1);
}

TEST(ReproducedRun, ScoresKeptAreInPercentOfDenseAttention) {
  PaperTable table{"table5",
                   "Llama-3.1-8B-Instruct",
                   {{"0", "fa", ""}, {"0.5", "fa-ssa", ""}},
                   {{.name = "Code", .tasks = {"longbench/lcc"}},
                    {.name = "Synthetic", .tasks = {"longbench/passage_count"}}},
                   {},
                   "0"};
  const auto numbers = reproduced_run(
      table, run_of({sample("fa", "longbench/lcc", 0, .8), sample("fa-ssa", "longbench/lcc", 0, .4),
                     sample("fa", "longbench/passage_count", 0, 0),
                     sample("fa-ssa", "longbench/passage_count", 0, 1)}));
  const ReproducedNumber& code = find(numbers, "0.5", "Code", "kept");
  EXPECT_NEAR(code.measured->value, 50, 1e-9);
  EXPECT_EQ(code.published, 99.54);
  EXPECT_TRUE(code.obstacles.empty());  // how many samples the paper's have is not known
  const ReproducedNumber& none = find(numbers, "0.5", "Synthetic", "kept");
  EXPECT_FALSE(none.measured);
  EXPECT_TRUE(says(none, "dense attention has no score above 0"));
  EXPECT_EQ(numbers.size(), 4u);
}

TEST(ReproducedRun, ARunWithoutSamplesIsATableWithoutMeasurements) {
  const auto numbers = reproduced_run(table_of("table4", {{"FA", "fa", ""}}), RunData());
  ASSERT_EQ(numbers.size(), 4u);
  for (const ReproducedNumber& number : numbers) EXPECT_FALSE(number.measured) << number.column;
}

}  // namespace
}  // namespace elastic::reports
