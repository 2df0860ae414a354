#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

void add(runs::RunData& run, const char* mode, const char* task, std::int64_t index, double score,
         double msr) {
  run.samples.push_back(make_sample(mode, task, 4096, index, score));
  run.samples.back().msr = msr;
}

std::vector<Table> tables_of(runs::RunData run) {
  return document_of("routed_against_fixed", input_of(std::move(run))).tables;
}

// 10 samples of two tasks; one that only the routed mode answered, and one that failed.
TEST(RoutedAgainstFixed, PairsTheSamplesThatBothAnswered) {
  runs::RunData run;
  const char* fixed = "fa-ssa:pattern=a.tsv,sparsity=0.6";
  for (std::int64_t i = 0; i < 10; ++i) {
    for (const char* task : {"ruler/a", "ruler/b"}) {
      const bool b = task[6] == 'b';
      add(run, "fa", task, i, 1, 0);
      add(run, "fa-ssa", task, i, 1, 0.5 + 0.02 * static_cast<double>(i));
      add(run, fixed, task, i, b && i < 8 ? 0 : 1, 0.6);
      add(run, "fa-ssa:heads=random,sparsity=0.9", task, i, 0, 0.9);
      add(run, "fa-xa", task, i, 1, 0.6);
    }
  }
  add(run, "fa-ssa", "ruler/a", 10, 0, 0.6);
  add(run, fixed, "ruler/a", 11, 0, 0.6);
  add(run, "fa-ssa", "ruler/a", 11, 0, 0.6);
  run.samples.back().outcome = runs::Outcome::kError;
  const std::vector<Table> tables = tables_of(std::move(run));
  ASSERT_EQ(tables.size(), 1u);
  ASSERT_EQ(tables[0].rows.size(), 2u) << "fa-xa has no fixed rival";
  const auto& row = tables[0].rows[0];
  EXPECT_EQ(row[1].value, Value("fa-ssa"));
  EXPECT_EQ(row[2].value, Value(fixed));
  EXPECT_EQ(row[3].value, Value(0.59));
  EXPECT_EQ(row[4].value, Value(0.6));
  EXPECT_EQ(row[5].value, Value("yes"));
  EXPECT_EQ(row[6].value, Value(100.0));
  EXPECT_EQ(row[7].value, Value(60.0));
  EXPECT_EQ(row[8].value, Value(40.0));
  ASSERT_TRUE(row[8].interval);
  EXPECT_GT(row[8].interval->low, 0) << row[8].interval->low;
  EXPECT_LT(row[8].interval->high, 60);
  EXPECT_EQ(row[10].value, Value(std::int64_t{20}));
  const auto& random = tables[0].rows[1];
  EXPECT_EQ(random[5].value, Value("no"));
  EXPECT_EQ(random[8].value, Value(100.0));
}

TEST(RoutedAgainstFixed, SaysNothingWithoutRivals) {
  runs::RunData run;
  add(run, "fa-ssa", "ruler/a", 0, 1, 0.5);
  add(run, "xa-ssa:pattern=a.tsv", "ruler/a", 0, 1, 0.5);
  add(run, "duo:pattern=a.tsv", "ruler/a", 0, 1, 0.5);
  EXPECT_TRUE(tables_of(run).empty());
  add(run, "fa-ssa:pattern=a.tsv", "ruler/a", 1, 1, 0.5);
  EXPECT_TRUE(tables_of(run).empty()) << "no sample in common";
}

}  // namespace
}  // namespace elastic::reports
