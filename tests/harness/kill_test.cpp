// A crash loses at most the sample in flight: a child process runs the loop over a slow fake engine
// and is killed at random moments until it gets through; the folder must then hold what an
// uninterrupted run holds, each sample once.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <random>
#include <thread>

#include "base/file.h"
#include "base/log.h"
#include "harness/run/runner.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/folders.h"

namespace elastic::harness {
namespace {

constexpr int kKills = 50;
constexpr int kSamples = 40;  // per cell and mode: enough that 50 kills do not get through

void run_all(const std::filesystem::path& folder, std::chrono::microseconds delay) {
  RunOptions options;
  options.tasks = "ruler";
  options.modes = "fa,ssa";
  options.lengths = "128,256";
  options.limit = kSamples;
  const Plan plan = make_plan(options, {.window = 8192}, testing::fake_suites());
  const std::vector<PreparedCell> cells = prepare(plan, options, nullptr, 1);
  testing::FakeGenerator engine;
  engine.delay_ = delay;
  const RunJob job{.options = options,
                   .cells = cells,
                   .modes = resolve_modes(plan.modes, engine),
                   .generator = engine};
  runs::RunStore store({.folder = folder}, run_spec(job));
  run_samples(job, store);
}

// Exit status of the child, killed after `life`.
int run_child(const std::filesystem::path& folder, std::chrono::microseconds life) {
  const pid_t child = fork();
  if (child == 0) {
    set_log_rank(1);
    run_all(folder, std::chrono::microseconds(200));
    _exit(0);
  }
  std::this_thread::sleep_for(life);
  kill(child, SIGKILL);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(Kill, FiftyRandomKillsLoseNothingAndRepeatNothing) {
  const testing::TemporaryFolder folder;
  set_log_rank(1);
  run_all(folder / "whole", std::chrono::microseconds(0));
  std::mt19937 random(1);
  std::uniform_int_distribution<int> microseconds(500, 6000);
  int killed = 0;
  for (int i = 0; i < kKills; ++i) {
    killed +=
        WIFSIGNALED(run_child(folder / "cut", std::chrono::microseconds(microseconds(random))));
  }
  EXPECT_GT(killed, kKills / 2) << "the kills must strike while it runs";
  run_all(folder / "cut", std::chrono::microseconds(0));
  set_log_rank(0);

  const runs::RunData whole = runs::read_run(folder / "whole"),
                      cut = runs::read_run(folder / "cut");
  EXPECT_TRUE(cut.notes.empty());
  const std::string bytes = read_file(folder / "cut" / "samples.rank0.jsonl");
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), '\n'), std::ssize(whole.samples))
      << "no sample twice, also not in the file";
  ASSERT_EQ(cut.samples.size(), whole.samples.size());
  for (std::size_t i = 0; i < whole.samples.size(); ++i) {
    EXPECT_EQ(cut.samples[i].key, whole.samples[i].key);
    EXPECT_EQ(cut.samples[i].score, whole.samples[i].score);
    EXPECT_EQ(cut.samples[i].prediction, whole.samples[i].prediction);
  }
}

}  // namespace
}  // namespace elastic::harness
