// Data of the cells before a run: what is loaded, on how many threads, under which ids.

#include "harness/run/prepare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/hash.h"
#include "harness/run/plan.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/folders.h"

namespace elastic::harness {
namespace {

using testing::fake_suites;
using testing::FakeTask;

// A fake task whose samples are made by a function.
class LoadedTask : public FakeTask {
 public:
  using FakeTask::FakeTask;
  std::vector<tasks::Sample> load(const tasks::LoadRequest& request) const override {
    return load_(request);
  }
  tasks::DataIdentity identity(const tasks::LoadRequest&) const override { return identity_; }

  std::function<std::vector<tasks::Sample>(const tasks::LoadRequest&)> load_;
  tasks::DataIdentity identity_;
};

std::vector<tasks::Sample> samples(std::size_t n) {
  std::vector<tasks::Sample> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    out[i].index = static_cast<std::int64_t>(i);
    out[i].input = "input " + std::to_string(i);
    out[i].references = {"a", "b"};
  }
  return out;
}

// A plan of `cells` cells of one task.
struct OneTask {
  explicit OneTask(std::size_t cells = 1) {
    auto made = std::make_unique<LoadedTask>("ruler/fake");
    task = made.get();
    task->load_ = [](const tasks::LoadRequest&) { return samples(4); };
    plan.tasks.push_back(std::make_unique<PlannedTask>());
    plan.tasks[0]->task = std::move(made);
    plan.tasks[0]->profile = "ruler@x";
    for (std::size_t i = 0; i < cells; ++i) {
      plan.cells.push_back({plan.tasks[0].get(), static_cast<std::int64_t>(1000 + i), 4, 1});
    }
  }
  std::vector<PreparedCell> prepared(int threads = 1) const {
    return prepare(plan, options, tokenizer, threads);
  }
  std::string data_id() const { return prepared().front().identity.data_id; }

  LoadedTask* task = nullptr;
  Plan plan;
  RunOptions options;
  const engine::Tokenizer* tokenizer = nullptr;
};

std::string hash_of(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += std::to_string(part.size()) + ":" + part;
  return sha256_hex(text);
}

// The contract of run folders: these ids are kept and compared between versions.
TEST(Prepare, LeavesOutCellsThatAreTooShort) {
  OneTask one(3);
  one.task->load_ = [](const tasks::LoadRequest& request) {
    if (request.length == 1001) throw tasks::LengthTooShort("1001 is too short");
    return samples(4);
  };
  const std::vector<PreparedCell> cells = one.prepared();
  ASSERT_EQ(cells.size(), 2U);
  EXPECT_EQ(cells[0].length, 1000);
  EXPECT_EQ(cells[1].length, 1002);

  one.task->load_ = [](const tasks::LoadRequest& request) -> std::vector<tasks::Sample> {
    throw tasks::LengthTooShort(std::to_string(request.length) + " is too short");
  };
  try {
    one.prepared();
    FAIL() << "no cell is left";
  } catch (const tasks::LengthTooShort& error) {
    EXPECT_STREQ(error.what(), "1000 is too short");
  }

  one.task->load_ = [](const tasks::LoadRequest& request) {
    if (request.length == 1001) throw tasks::LengthTooShort("1001 is too short");
    if (request.length == 1002) throw Error(ErrorKind::kNotFound, "no data");
    return samples(4);
  };
  try {
    one.prepared();
    FAIL() << "data are missing";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "no data");
  }
}

TEST(Prepare, IdsAreHashesOfTheirParts) {
  OneTask one;
  one.options.seed = 7;
  one.options.model_template = "t";
  one.task->load_ = [](const tasks::LoadRequest&) {
    auto two = samples(2);
    two[1].answer_prefix = "begins";
    return two;
  };
  const PreparedCell cell = one.prepared().front();
  const std::string first = hash_of({"input 0", "", "a", "b"});
  const std::string second = hash_of({"input 1", "begins", "a", "b"});
  EXPECT_EQ(cell.content_sha256, (std::vector<std::string>{first, second}));
  EXPECT_EQ(cell.identity.data_id,
            hash_of({"ruler@x", "ruler/fake", "1000", "2", "7", "", "t", first, second}));
  EXPECT_EQ(cell.length, 1000);
  EXPECT_EQ(cell.task, one.plan.tasks[0].get());
  const auto tokenizer = engine::Tokenizer::load(testing::source_folder() / "models/demo");
  one.tokenizer = &tokenizer;
  EXPECT_EQ(one.data_id(), hash_of({"ruler@x", "ruler/fake", "1000", "2", "7", tokenizer.sha256(),
                                    "t", first, second}));
  one.task->identity_.data_id = "the task's own";
  EXPECT_EQ(one.data_id(), "the task's own");
}

TEST(Prepare, AShareIsTakenOfWhatWasLoaded) {
  OneTask one;
  const auto count = [&](double share) {
    one.plan.cells[0].share = share;
    return one.prepared().front().samples.size();
  };
  EXPECT_EQ(count(1), 4u);
  EXPECT_EQ(count(0.75), 3u);
  EXPECT_EQ(count(0.5), 2u);
  EXPECT_EQ(count(0.51), 3u);
  EXPECT_EQ(count(0.01), 1u);
}

TEST(Prepare, CellsKeepTheirOrderOnAnyNumberOfThreads) {
  for (const int threads : {-1, 0, 1, 2, 3, 50}) {
    const OneTask many(9);
    const std::vector<PreparedCell> cells = many.prepared(threads);
    ASSERT_EQ(cells.size(), 9u);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      EXPECT_EQ(cells[i].length, static_cast<std::int64_t>(1000 + i)) << threads;
      EXPECT_EQ(cells[i].samples.size(), 4u);
    }
  }
}

// How many loads are under way at once, each waiting for as many as there may be and a while more.
int most_at_once(int threads, std::size_t cells) {
  const int allowed = std::min(threads, static_cast<int>(cells));
  OneTask many(cells);
  std::atomic<int> now = 0, most = 0;
  many.task->load_ = [&](const tasks::LoadRequest&) {
    for (int n = ++now, seen = most; n > seen && !most.compare_exchange_weak(seen, n);) {
    }
    const auto wait = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
    for (int i = 0; i < 10'000 && most < allowed; ++i) wait();
    for (int i = 0; i < 5 && most <= allowed; ++i) wait();
    --now;
    return samples(1);
  };
  many.prepared(threads);
  return most;
}

TEST(Prepare, LoadsOnAsManyThreadsAsAllowed) {
  EXPECT_EQ(most_at_once(1, 3), 1);
  EXPECT_EQ(most_at_once(2, 3), 2);
  EXPECT_EQ(most_at_once(3, 3), 3);
  EXPECT_EQ(most_at_once(4, 2), 2) << "no more than there are cells";
}

TEST(Prepare, TheFirstErrorEndsTheLoading) {
  OneTask many(5);
  int loads = 0;
  many.task->load_ = [&](const tasks::LoadRequest& request) -> std::vector<tasks::Sample> {
    ++loads;
    if (request.length >= 1001) {
      throw Error(ErrorKind::kNotFound, "no data at " + std::to_string(request.length));
    }
    return samples(1);
  };
  try {
    many.prepared();
    ADD_FAILURE() << "prepared";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "no data at 1001");
  }
  EXPECT_EQ(loads, 2) << "nothing is loaded after it";
}

TEST(Prepare, TheRequestSaysWhatWasAsked) {
  OneTask one;
  one.options.seed = 5;
  one.options.model_template = "meta-chat";
  one.options.data_dir = "data";
  one.options.cache_dir = "cache";
  one.options.thinking = "on";
  one.plan.cells[0].samples = 17;
  tasks::LoadRequest seen;
  one.task->load_ = [&](const tasks::LoadRequest& request) {
    seen = request;
    return samples(1);
  };
  one.prepared();
  EXPECT_EQ(seen.profile, "ruler@x");
  EXPECT_EQ(seen.length, 1000);
  EXPECT_EQ(seen.limit, 17);
  EXPECT_EQ(seen.seed, 5u);
  EXPECT_EQ(seen.model_template, "meta-chat");
  EXPECT_EQ(seen.data_dir, "data");
  EXPECT_EQ(seen.cache_dir, "cache");
  EXPECT_EQ(seen.thinking, true);
  one.options.thinking = "off";
  one.prepared();
  EXPECT_EQ(seen.thinking, false);
  one.options.thinking = "";
  one.prepared();
  EXPECT_EQ(seen.thinking, std::nullopt);
}

}  // namespace
}  // namespace elastic::harness
