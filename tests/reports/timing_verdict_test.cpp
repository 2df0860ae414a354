// When the times of a run are latencies, and what is said where they are not.

#include "reports/timing_verdict.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

runs::RunData timed_run() {
  runs::RunData run;
  run.spec.environment = {{"timing", "yes"},
                          {"device", "cpu"},
                          {"cpu_threads", "4"},
                          {"load_average", "0.25 on 4 cores"},
                          {"attention_kernel", "CPU tiles"}};
  for (const char* mode : {"fa", "ssa"}) {
    for (int i = 0; i < 6; ++i) {
      run.samples.push_back(make_sample(mode, "ruler/a", 1024, i, 1));
      run.samples.back().prefill_ms = 98 + i;  // median 100.5, between 98 and 103
      run.samples.back().batch = 1;
    }
  }
  return run;
}

std::string faults_of(runs::RunData run) {
  return join(timing_faults(input_of(std::move(run)).runs[0]), " / ");
}

TEST(TimingVerdict, AloneWarmAndBesideDenseIsValid) {
  EXPECT_EQ(faults_of(timed_run()), "");
  const Table table = timing_table(input_of(timed_run()));
  ASSERT_EQ(table.rows.size(), 1u);
  const std::vector<Value> expected{Value("VALID"),
                                    {},
                                    Value("CPU tiles"),
                                    Value("cpu"),
                                    Value("1"),
                                    Value("0.25 on 4 cores"),
                                    {},
                                    2.49};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(table.rows[0][i].value, expected[i]) << table.columns[i].key;
  }
}

TEST(TimingVerdict, EachReasonIsNamed) {
  const auto with = [](const char* key, const char* value) {
    runs::RunData run = timed_run();
    run.spec.environment[key] = value;
    return faults_of(std::move(run));
  };
  EXPECT_EQ(with("timing", "no"), "taken without --timing: no warm-up of each mode");
  EXPECT_EQ(with("timing", "no | yes"), "invocations with and without --timing are mixed");
  EXPECT_EQ(with("timing_faults", "the composed reference ran"), "the composed reference ran");
  EXPECT_EQ(with("load_average", "4.01 on 4 cores"),
            "the machine was busy before: load 4.01 on 4 cores");
  for (const char* fine : {"4.00 on 4 cores", "9", "a on b cores", "9 on 0 cores"}) {
    EXPECT_EQ(with("load_average", fine), "") << fine;
  }
  EXPECT_EQ(with("gpu_spoiled_by", "too hot"), "too hot");
  EXPECT_EQ(with("device", "cpu | cuda:0"), "invocations differ in device: cpu | cuda:0");
  runs::RunData batched = timed_run();
  batched.samples[3].batch = 8;
  EXPECT_TRUE(faults_of(batched).starts_with("up to 8 sequences in flight"));
  for (auto& sample : batched.samples) sample.batch.reset();
  EXPECT_EQ(faults_of(batched), "unknown whether samples ran alone");
  runs::RunData sparse = timed_run();
  for (auto& sample : sparse.samples) sample.mode = "ssa";
  EXPECT_EQ(faults_of(sparse), "no dense baseline in the run");
}

TEST(TimingVerdict, ARunWithoutTimesHasNone) {
  runs::RunData run = timed_run();
  for (auto& sample : run.samples) sample.prefill_ms.reset();
  EXPECT_TRUE(timing_table(input_of(run)).rows.empty());
  EXPECT_EQ(timing_verdicts(input_of(std::move(run))), "");
}

TEST(TimingVerdict, StandsAboveTheTimes) {
  EXPECT_EQ(document_of("latency", input_of(timed_run())).intro, "Timing VALID.");
  runs::RunData cold = timed_run();
  cold.folder = "runs/cold", cold.spec.environment["timing"] = "no";
  runs::RunData warm = timed_run();
  warm.folder = "runs/warm";
  EXPECT_EQ(timing_verdicts(make_input({std::move(warm), std::move(cold)}, kSuiteTitles)),
            "Timing of warm VALID. Timing of cold INVALID: taken without --timing: no warm-up of "
            "each mode.");
}

TEST(TimingVerdict, UnderSixSamplesNoMedianIsKnown) {
  runs::RunData run = timed_run();
  run.samples.pop_back();
  const Table table = timing_table(input_of(std::move(run)));
  EXPECT_EQ(table.rows[0].back().value, Value());
}

}  // namespace
}  // namespace elastic::reports
