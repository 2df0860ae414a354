// Samples in flight: together over cells and modes, those of several passes alone, each with its
// own failures.

#include <gtest/gtest.h>

#include <csignal>
#include <map>

#include "base/error.h"
#include "base/interrupt.h"
#include "tests/harness/runner_fixture.h"

namespace elastic::harness {
namespace {

std::map<std::int64_t, int> batches(const runs::RunData& run) {
  std::map<std::int64_t, int> counts;
  for (const runs::SampleRecord& record : run.samples) ++counts[record.batch.value_or(-1)];
  return counts;
}

// 2 tasks x 2 lengths x 2 modes x 4 samples.
TEST_F(Runner, ABatchDoesNotDrainBetweenCellsAndModes) {
  options_.batch_size = 5;
  run(folder_.path());
  const runs::RunData data = runs::read_run(folder_.path());
  EXPECT_EQ(batches(data), (std::map<std::int64_t, int>{{5, 30}, {2, 2}}));
  double sparse = 0, full = 0;
  for (const runs::SampleRecord& r : data.samples) (r.mode == "ssa" ? sparse : full) += *r.score;
  EXPECT_EQ(sparse, 8) << "each was asked in its own mode: odd samples are wrong in ssa";
  EXPECT_EQ(full, 16);
}

TEST_F(Runner, AFewSamplesOfSeveralPassesRunAloneBetweenTheOthers) {
  options_.batch_size = 8;
  options_.modes = "fa";
  change_ = [](FakeTask& task) { task.asks_twice_ = task.info().name == "ruler/second"; };
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.ran, 16);
  for (const runs::SampleRecord& r : runs::read_run(folder_.path()).samples) {
    EXPECT_EQ(r.passes, r.task == "ruler/second" ? 2 : 1);
    EXPECT_EQ(r.batch, r.task == "ruler/second" ? 1 : 4) << "the four before them";
  }
}

TEST_F(Runner, WarmUpsAreForLatenciesAlone) {
  options_.batch_size = 4;
  run(folder_ / "together");
  EXPECT_EQ(asked(), engine_.requests_.size());
  options_.batch_size.reset();
  options_.timing = true;
  engine_.device_ = "cuda:0";
  engine_.requests_.clear();
  run(folder_ / "alone");
  EXPECT_EQ(engine_.requests_.size(), 32u + 2u) << "one before each mode";
  EXPECT_EQ(batches(runs::read_run(folder_ / "alone")), (std::map<std::int64_t, int>{{1, 32}}));
}

TEST_F(Runner, HowManyAreInFlightDependsOnTheDevice) {
  RunOptions o;
  EXPECT_EQ(most_in_flight(o, "cpu"), 1);
  EXPECT_EQ(most_in_flight(o, "cuda:0"), 32);
  o.batch_size = 7;
  EXPECT_EQ(most_in_flight(o, "cpu"), 7);
  EXPECT_EQ(most_in_flight(o, "cuda:0"), 7);
  o.batch_size.reset();
  o.timing = true;
  EXPECT_EQ(most_in_flight(o, "cuda:0"), 1);
}

TEST_F(Runner, AfterASignalWhatIsInFlightIsFinished) {
  const InterruptGuard guard("");
  change_ = [](FakeTask& task) { task.signal_at_ = 2; };
  options_.batch_size = 4;
  const RunOutcome outcome = run(folder_.path());
  EXPECT_EQ(outcome.signal, SIGTERM);
  EXPECT_EQ(outcome.ran, 3) << "of the batch of four, the prompt of sample 3 was not made";
}

}  // namespace
}  // namespace elastic::harness
