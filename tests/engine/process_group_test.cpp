// Processes over the loopback interface: sums of all sizes, and what is said where one of them is
// missing, killed, silent or told something else. Ranks are threads of this process but where one
// is killed.

#include "engine/distributed/process_group.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <future>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "engine/distributed/addresses.h"
#include "tests/testing/free_port.h"
#include "tests/testing/program.h"

namespace elastic::engine {
namespace {

using testing::free_port;
using Act = std::function<void(ProcessGroup&)>;

std::vector<ProcessOptions> ranks_of(int world) {
  std::vector<ProcessOptions> ranks(static_cast<std::size_t>(world));
  const int port = free_port();
  for (int rank = 0; rank < world; ++rank) {
    ranks[static_cast<std::size_t>(rank)] = {.rank = rank, .world = world, .port = port};
  }
  return ranks;
}

// What each of them throws, "" where nothing; in their order.
std::vector<std::string> together(const std::vector<ProcessOptions>& ranks, const Act& act) {
  std::vector<std::future<std::string>> ends;
  ends.reserve(ranks.size());
  for (const ProcessOptions& options : ranks) {
    ends.push_back(std::async(std::launch::async, [&act, options]() -> std::string {
      try {
        ProcessGroup group(options);
        act(group);
        return "";
      } catch (const Error& error) {
        return fmt::format("{}: {}", to_string(error.kind()), error.what());
      }
    }));
  }
  std::vector<std::string> errors;
  errors.reserve(ends.size());
  for (auto& end : ends) errors.push_back(end.get());
  return errors;
}

void expect_none(const std::vector<std::string>& errors) {
  for (const std::string& error : errors) EXPECT_EQ(error, "");
}

void expect_says(const std::string& error, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(error.find(part), std::string::npos) << error;
}

TEST(ProcessGroup, SumsEveryTensorOverAllRanks) {
  expect_none(together(ranks_of(3), [](ProcessGroup& group) {
    EXPECT_EQ(group.world(), 3);
    for (int round = 1; round <= 5; ++round) {
      const auto own = static_cast<float>(round * (group.rank() + 1));
      const at::Tensor a = at::tensor(std::vector<float>{own, 2 * own, 3 * own, 4 * own});
      const at::Tensor b = at::tensor(std::vector<float>{10 * own});
      group.sum({a.view({2, 2}), b});
      const auto all = static_cast<float>(round * 6);
      EXPECT_TRUE(a.equal(at::tensor(std::vector<float>{all, 2 * all, 3 * all, 4 * all})));
      EXPECT_EQ(b.item<float>(), 10 * all);
    }
  }));
}

// A store's values end at 8 MiB; gradients of an 8B model's routers are 36 MiB.
TEST(ProcessGroup, SumsOfAllSizes) {
  constexpr std::int64_t kMiB = (std::int64_t{1} << 20) / 4;
  for (const std::int64_t elements : {std::int64_t{1}, std::int64_t{9'000'000 / 4}, 36 * kMiB}) {
    expect_none(together(ranks_of(2), [&](ProcessGroup& group) {
      const at::Tensor counted =
          at::arange(elements, at::TensorOptions(at::kFloat)).remainder(1000);
      const at::Tensor values = counted * (group.rank() + 1);
      group.sum({values});
      EXPECT_TRUE(values.equal(counted * 3)) << elements;
    }));
  }
}

TEST(ProcessGroup, EveryRankHoldsTheSameBits) {
  std::vector<at::Tensor> parts(4);
  for (at::Tensor& part : parts) part = at::rand({100'003}) - 0.5;
  std::vector<at::Tensor> sums(4);
  expect_none(together(ranks_of(4), [&](ProcessGroup& group) {
    const auto rank = static_cast<std::size_t>(group.rank());
    sums[rank] = parts[rank].clone();
    group.sum({sums[rank]});
  }));
  for (const at::Tensor& sum : sums) EXPECT_TRUE(sum.equal(sums[0]));
  EXPECT_TRUE(sums[0].allclose(parts[0] + parts[1] + parts[2] + parts[3], 0, 1e-6));
}

TEST(ProcessGroup, AgreesOrNamesTheKeyAndBothValuesOnEveryRank) {
  expect_none(together(ranks_of(3), [](ProcessGroup& group) {
    group.agree(R"({"seed": 42, "data": "documents.jsonl"})");
  }));
  const auto errors = together(ranks_of(3), [](ProcessGroup& group) {
    group.agree(fmt::format(R"({{"a": 1, "seed": {}}})", group.rank() == 2 ? 43 : 42));
  });
  for (const std::string& error : errors) {
    expect_says(error, {"invalid", "`seed` is 42 for rank 0 and 43 for rank 2"});
  }
  for (const std::string& error : together(ranks_of(2), [](ProcessGroup& group) {
         group.agree(group.rank() == 0 ? "{}" : R"({"only here": true})");
       })) {
    expect_says(error, {"`only here` is null for rank 0 and true for rank 1"});
  }
}

TEST(ProcessGroup, LongValuesAreCutToWhereTheyDiffer) {
  const std::string same(5000, 'x');
  for (const std::string& error : together(ranks_of(2), [&](ProcessGroup& group) {
         group.agree(fmt::format(R"({{"data": "{}{}{}"}})", same, group.rank(), same));
       })) {
    expect_says(error, {"`data` is ...xxx", "x0x", "x1x"});
    EXPECT_LT(error.size(), 600);
  }
}

TEST(ProcessGroup, ARankThatNeverComesIsNamed) {
  std::vector<ProcessOptions> ranks = ranks_of(4);
  ranks.erase(ranks.begin() + 2);
  for (ProcessOptions& rank : ranks) rank.join_seconds = 1;
  const Stopwatch watch;
  for (const std::string& error : together(ranks, [](ProcessGroup&) {})) {
    expect_says(error, {"input/output", "of 4 at 127.0.0.1:", "within 1 s: 2; start them"});
  }
  EXPECT_LT(watch.seconds(), 20);
}

TEST(ProcessGroup, RankZeroThatNeverComesIsNamed) {
  ProcessOptions options = ranks_of(2)[1];
  options.join_seconds = 1;
  const Stopwatch watch;
  const auto errors = together({options}, [](ProcessGroup&) {});
  EXPECT_LT(watch.seconds(), 1.9);
  expect_says(errors[0], {"input/output", "rank 1 of 2 at 127.0.0.1:",
                          "rank 0 is not reached within 1 s", "MASTER_ADDR"});
}

TEST(ProcessGroup, NumbersOfProcessesThatDifferAreNamedOnBoth) {
  std::vector<ProcessOptions> ranks = ranks_of(2);
  ranks[1].world = 3;
  const auto errors = together(ranks, [](ProcessGroup&) {});
  expect_says(errors[0], {"invalid", "WORLD_SIZE is ", "2 for rank 0", "3 for rank 1"});
  expect_says(errors[1], {"invalid", "WORLD_SIZE is ", "2 for rank 0", "3 for rank 1"});
}

TEST(ProcessGroup, TwoRankZerosAreNamedOnBoth) {
  std::vector<ProcessOptions> ranks = ranks_of(2);
  ranks[1].rank = 0;
  for (const std::string& error : together(ranks, [](ProcessGroup&) {})) {
    expect_says(error, {"invalid", "two processes are rank 0"});
  }
}

TEST(ProcessGroup, UnknownHostsAreNamedAtOnce) {
  try {
    const ProcessGroup group({.rank = 0, .world = 2, .address = "", .port = 1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_TRUE(std::string(error.what()).starts_with("MASTER_ADDR is ``: ")) << error.what();
  }
  EXPECT_EQ(own_address("127.0.0.1", 29500), "127.0.0.1");
}

TEST(ProcessGroup, ARankThatFallsSilentEndsTheOthers) {
  std::vector<ProcessOptions> ranks = ranks_of(2);
  for (ProcessOptions& rank : ranks) rank.silence_seconds = 1;
  std::promise<void> over;
  const std::shared_future<void> waits = over.get_future().share();
  const auto errors = together(ranks, [&](ProcessGroup& group) {
    if (group.rank() == 1) return waits.wait();
    const Stopwatch watch;
    try {
      group.sum({at::ones({1000})});
    } catch (const Error&) {
      EXPECT_LT(watch.seconds(), 20);
      over.set_value();
      throw;
    }
    over.set_value();
  });
  expect_says(errors[0], {"input/output", "rank 0 of 2 at 127.0.0.1:", "ended or is silent"});
}

// Sums until it is killed: the process that ProcessGroup.AKilledRank... starts.
TEST(ProcessGroupRank, DISABLED_SumsOn) {
  ProcessGroup group({.rank = 1, .world = 2, .port = std::atoi(std::getenv("PORT"))});
  const at::Tensor values = at::ones({9'000'000 / 4});
  log_info("joined");
  while (true) group.sum({values});
}

TEST(ProcessGroup, AKilledRankEndsTheOthers) {
  const ProcessOptions options = ranks_of(2)[0];
  testing::Program other("/proc/self/exe",
                         {"--gtest_also_run_disabled_tests", "--gtest_filter=*.DISABLED_SumsOn"},
                         {{"PORT", std::to_string(options.port)}});
  const auto errors = together({options}, [&](ProcessGroup& group) {
    const at::Tensor values = at::ones({9'000'000 / 4});
    for (int round = 0; round < 3; ++round) group.sum({values});
    other.signal(SIGKILL);
    const Stopwatch watch;
    try {
      while (watch.seconds() < 60) group.sum({values});
    } catch (const Error&) {
      EXPECT_LT(watch.seconds(), 10);
      throw;
    }
  });
  expect_says(errors[0],
              {"input/output", "rank 0 of 2 at 127.0.0.1:", "another process ended", "--resume"});
  EXPECT_EQ(other.wait().code, 128 + SIGKILL);
}

}  // namespace
}  // namespace elastic::engine
