#include "runs/summary.h"

#include <gtest/gtest.h>

#include <limits>

namespace elastic::runs {
namespace {

SampleRecord sample(std::string mode, std::string task, std::int64_t length, std::int64_t index,
                    double score) {
  SampleRecord record;
  record.model = "m";
  record.mode = std::move(mode);
  record.task = std::move(task);
  record.length = length;
  record.index = index;
  record.score = score;
  record.metric = "string_match_all";
  return record;
}

TEST(Summary, SuiteIsTheMeanOfTasksThenOfLengths) {
  RunData run;
  for (const auto& [task, length, score] :
       std::vector<std::tuple<std::string, std::int64_t, double>>{{"ruler/a", 1024, 1.0},
                                                                  {"ruler/a", 1024, 1.0},
                                                                  {"ruler/a", 1024, 0.0},
                                                                  {"ruler/a", 1024, 0.0},
                                                                  {"ruler/b", 1024, 1.0},
                                                                  {"ruler/a", 2048, 0.0}}) {
    run.samples.push_back(
        sample("fa", task, length, static_cast<std::int64_t>(run.samples.size()), score));
  }
  const Summary summary = summarise(run);
  ASSERT_EQ(summary.by_length.size(), 2u);
  // 1k: (0.5 + 1) / 2, not the 3 of 5 samples; 2k: 0; overall (0.75 + 0) / 2.
  EXPECT_DOUBLE_EQ(summary.by_length[0].score->value, 0.75);
  EXPECT_EQ(summary.by_length[0].score->rule, "unweighted mean of 2 tasks");
  ASSERT_EQ(summary.overall.size(), 1u);
  EXPECT_DOUBLE_EQ(summary.overall[0].score->value, 0.375);
  EXPECT_EQ(summary.overall[0].score->rule, "unweighted mean of 2 lengths");
  EXPECT_EQ(summary.overall[0].task, "ruler");
  EXPECT_EQ(summary.lengths, (std::vector<std::int64_t>{1024, 2048}));
}

TEST(Summary, CountsWhatIsMissingAndWhatFailed) {
  RunData run;
  run.spec.modes = {"fa"};
  run.spec.tasks = {"ruler/a", "ruler/b"};
  run.spec.planned = {{{"fa", "ruler/a", 1024}, 3}, {{"fa", "ruler/b", 1024}, 2}};
  run.samples.push_back(sample("fa", "ruler/a", 1024, 0, 1));
  run.samples.push_back(sample("fa", "ruler/a", 1024, 1, 0));
  run.samples[1].outcome = Outcome::kError;
  run.samples[1].score.reset();
  const Summary summary = summarise(run);
  ASSERT_EQ(summary.cells.size(), 2u);
  EXPECT_EQ(summary.cells[0].scored, 1);
  EXPECT_EQ(summary.cells[0].planned, 3);
  EXPECT_EQ(summary.cells[0].failed, 1);
  EXPECT_DOUBLE_EQ(summary.cells[0].score->value, 1);
  EXPECT_FALSE(summary.cells[1].score);
  EXPECT_EQ(summary.cells[1].planned, 2);
  EXPECT_EQ(summary.overall[0].planned, 5);
  EXPECT_NE(summary.by_length[0].score->rule.find("unweighted mean of 1"), 0u);
}

TEST(Summary, OneTokenLostIsATruncation) {
  RunData run;
  for (int i = 0; i < 3; ++i) {
    run.samples.push_back(sample("fa", "ruler/a", 1024, i, 1));
    run.samples.back().truncated_tokens = i;
  }
  const Cell cell = summarise(run).cells.at(0);
  EXPECT_EQ(cell.truncated, 2);
  EXPECT_EQ(cell.truncated_tokens, 3);
}

TEST(Summary, KeepsTheOrderOfTheSpec) {
  RunData run;
  run.spec.modes = {"ssa", "fa"};
  run.spec.tasks = {"ruler/z", "ruler/a", "ruler/unused"};
  for (const char* mode : {"fa", "ssa", "extra"}) {
    for (const char* task : {"ruler/a", "ruler/z"}) {
      run.samples.push_back(sample(mode, task, 1024, 0, 1));
    }
  }
  const Summary summary = summarise(run);
  EXPECT_EQ(summary.modes, (std::vector<std::string>{"ssa", "fa", "extra"}));
  EXPECT_EQ(summary.tasks, (std::vector<std::string>{"ruler/z", "ruler/a"}));
}

TEST(Summary, TimesArePooledAndPartsSumToTheWhole) {
  RunData run;
  for (int i = 0; i < 3; ++i) {
    SampleRecord record = sample("fa", "ruler/a", 1024, i, 1);
    record.prefill_ms = 100 + i;
    record.attention_ms = 60;
    record.router_ms = 5;
    record.ttft_ms = 110;
    record.decode_ms = 40;
    record.output_tokens = 5;
    record.peak_bytes = 1000 * (i + 1);
    record.prompt_tokens = 900;
    run.samples.push_back(record);
  }
  const Latency time = summarise(run).cells[0].latency;
  EXPECT_DOUBLE_EQ(time.prefill->p50, 101);
  EXPECT_DOUBLE_EQ(time.prefill->max, 102);
  EXPECT_DOUBLE_EQ(*time.rest + *time.attention + *time.router, time.prefill->p50);
  EXPECT_DOUBLE_EQ(time.tpot->p50, 10);  // 40 ms over the 4 tokens after the first
  EXPECT_EQ(time.peak_bytes, 3000);
  EXPECT_EQ(time.prompt_tokens, 900);
  EXPECT_FALSE(time.select);
}

// What a token took is all energy over all tokens, not a mean of shares.
TEST(Summary, EnergyIsOfTheSamplesThatCountedIt) {
  RunData run;
  for (int i = 0; i < 3; ++i) {
    SampleRecord record = sample("fa", "ruler/a", 1024, i, 1);
    record.output_tokens = 1 + 3 * i;
    if (i > 0) record.joules = 10 * i;
    run.samples.push_back(record);
  }
  const Latency time = summarise(run).cells[0].latency;
  EXPECT_EQ(time.joules, 15);
  EXPECT_DOUBLE_EQ(*time.joules_per_token, 30. / 11);
  run.samples.resize(1);
  EXPECT_FALSE(summarise(run).cells[0].latency.joules);
  EXPECT_FALSE(summarise(run).cells[0].latency.joules_per_token);
  run.samples[0].joules = 4;
  run.samples[0].output_tokens = 0;
  EXPECT_EQ(summarise(run).cells[0].latency.joules, 4);
  EXPECT_FALSE(summarise(run).cells[0].latency.joules_per_token) << "no token";
}

// 12 tokens of three passes: 9 of them were decoded, the others came out of the passes' prompts.
TEST(Summary, TimePerTokenLeavesOutTheFirstTokenOfEveryPass) {
  SampleRecord record = sample("fa", "ruler/a", 1024, 0, 1);
  record.decode_ms = 18;
  record.output_tokens = 12;
  record.passes = 3;
  record.later_prefill_ms = 500;
  EXPECT_DOUBLE_EQ(*tpot_ms(record), 2);
  record.passes = 11;
  EXPECT_DOUBLE_EQ(*tpot_ms(record), 18);
  record.passes = 12;
  EXPECT_FALSE(tpot_ms(record));
  record.passes = 1;
  record.output_tokens = 1;
  EXPECT_FALSE(tpot_ms(record));
}

TEST(Summary, CacheSavedIsTheMeanOverSamplesThatKnowIt) {
  RunData run;
  for (int i = 0; i < 3; ++i) run.samples.push_back(sample("ssa", "ruler/a", 1024, i, 1));
  run.samples[0].kv_bytes = 250;
  run.samples[0].kv_bytes_full = 1000;
  run.samples[1].kv_bytes = 750;
  run.samples[1].kv_bytes_full = 1000;
  run.samples[0].batch = 4;
  run.samples[1].batch = 1;
  const Summary summary = summarise(run);
  EXPECT_DOUBLE_EQ(*summary.cells[0].sparsity.cache_share, 0.5);
  EXPECT_DOUBLE_EQ(*summary.overall[0].sparsity.cache_share, 0.5);
  EXPECT_EQ(summary.cells[0].latency.batch->min, 1);
  EXPECT_EQ(summary.cells[0].latency.batch->max, 4);
}

TEST(Summary, SparsityIsAveragedLikeTheScore) {
  RunData run;
  for (const auto& [task, n, msr] : std::vector<std::tuple<std::string, int, double>>{
           {"ruler/a", 3, 0.5}, {"ruler/b", 1, 0.9}}) {
    for (int i = 0; i < n; ++i) {
      run.samples.push_back(sample("fa-ssa", task, 1024, i, 1));
      run.samples.back().msr = msr;
    }
  }
  const Summary summary = summarise(run);
  EXPECT_DOUBLE_EQ(*summary.by_length[0].sparsity.msr, 0.7);
  EXPECT_FALSE(summary.by_length[0].sparsity.block_density);
}

TEST(Summary, EmptyAndOddRuns) {
  EXPECT_TRUE(summarise({}).cells.empty());
  RunData run;
  run.samples.push_back(sample("fa", "alone", 0, 0, std::numeric_limits<double>::quiet_NaN()));
  const Summary summary = summarise(run);
  ASSERT_EQ(summary.overall.size(), 1u);
  EXPECT_TRUE(summary.by_length.empty());
  EXPECT_FALSE(summary.overall[0].score);
  EXPECT_EQ(summary.overall[0].scored, 0);
  EXPECT_EQ(summary.overall[0].planned, 1);
}

TEST(Summary, NamesOfModes) {
  EXPECT_EQ(dense_mode({"ssa", "fa:decode=sparse", "fa"}), "fa");
  EXPECT_EQ(dense_mode({"ssa", "fa:decode=sparse"}), "fa:decode=sparse");
  EXPECT_EQ(dense_mode({"ssa", "fa-ssa"}), "");
  EXPECT_EQ(suite_of("ruler/vt"), "ruler");
}

}  // namespace
}  // namespace elastic::runs
