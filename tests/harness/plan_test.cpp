#include "harness/run/plan.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "harness/run/prepare.h"
#include "tests/testing/fake_engine.h"

namespace elastic::harness {
namespace {

using testing::fake_suites;

RunOptions options() {
  RunOptions o;
  o.tasks = "ruler";
  o.modes = "fa, ssa,fa";
  return o;
}

Plan plan_of(const RunOptions& o, std::int64_t window = 8192, bool demo = false) {
  return make_plan(o, {.window = window, .demo = demo}, fake_suites());
}

std::string refusal(const RunOptions& o, ErrorKind kind = ErrorKind::kInvalidArgument) {
  try {
    plan_of(o);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "accepted";
}

TEST(Plan, DefaultsAreRulersLengthsWithinTheWindow) {
  const Plan plan = plan_of(options());
  EXPECT_EQ(plan.modes, (std::vector<std::string>{"fa", "ssa"}));
  EXPECT_EQ(plan.lengths, (std::vector<std::int64_t>{4096, 8192}));
  EXPECT_EQ(plan_of(options(), 1 << 20).lengths.size(), 6u);
  EXPECT_EQ(plan_of(options(), 1 << 20).lengths.back(), 131072);
  EXPECT_EQ(plan_of(options(), 2048).lengths, std::vector<std::int64_t>{2048});
  ASSERT_EQ(plan.cells.size(), 4u);
  EXPECT_EQ(plan.cells[0].samples, 5) << "the task's own limit";
  EXPECT_EQ(load_request(options(), plan.cells[0], nullptr).seed, 42u);
}

TEST(Plan, ModesKeepTheirOptions) {
  RunOptions o = options();
  o.modes = "fa,ssa:sink=128,local=2048,fa-ssa";
  EXPECT_EQ(plan_of(o).modes,
            (std::vector<std::string>{"fa", "ssa:sink=128,local=2048", "fa-ssa"}));
}

TEST(Plan, AShareIsOfTheTasksOwnNumberRoundedUp) {
  RunOptions o = options();
  o.limit_share = 0.3;
  for (const PlannedCell& cell : plan_of(o).cells) EXPECT_EQ(cell.samples, 2) << "of 5";
  EXPECT_EQ(share_of(200, 0.1), 20);
  EXPECT_EQ(share_of(201, 0.1), 21);
  EXPECT_EQ(share_of(3, 0.001), 1);
  EXPECT_EQ(share_of(0, 0.5), 0);
  // Where nobody knows how many there are, the share is taken of what was loaded.
  Plan plan = plan_of(o);
  plan.cells.resize(1);
  plan.cells[0].samples = 10;
  plan.cells[0].share = 0.3;
  EXPECT_EQ(prepare(plan, o, nullptr, 1).front().samples.size(), 3u);
}

TEST(Plan, ShortLengthsFirstAndTasksInOrder) {
  RunOptions o = options();
  o.tasks = "longbench/set,ruler";
  o.lengths = "2k,1024,1k";
  o.limit = 3;
  const Plan plan = plan_of(o);
  std::vector<std::pair<std::string, std::int64_t>> cells;
  for (const PlannedCell& cell : plan.cells) {
    cells.emplace_back(cell.task->task->info().name, cell.length);
    EXPECT_EQ(cell.samples, 3);
  }
  EXPECT_EQ(cells, (std::vector<std::pair<std::string, std::int64_t>>{{"longbench/set", 0},
                                                                      {"ruler/fake", 1024},
                                                                      {"ruler/second", 1024},
                                                                      {"ruler/fake", 2048},
                                                                      {"ruler/second", 2048}}));
}

TEST(Plan, ProfilesBySuite) {
  RunOptions o = options();
  EXPECT_EQ(plan_of(o).tasks[0]->profile, "ruler@official");
  EXPECT_EQ(plan_of(o, 8192, true).tasks[0]->profile, "ruler@builtin");
  o.profiles = "ruler@gen-a";
  EXPECT_EQ(plan_of(o, 8192, true).tasks[0]->profile, "ruler@gen-a");
  o.tasks = "ruler,longbench/set";
  o.profiles = "longbench-official, ruler@gen-b";
  const Plan plan = plan_of(o);
  EXPECT_EQ(plan.tasks.back()->profile, "longbench-official");
  EXPECT_EQ(plan.tasks.front()->profile, "ruler@gen-b");
  o.profiles = "ruler@gen-a,ruler@gen-b";
  EXPECT_NE(refusal(o).find("give one a suite"), std::string::npos);
  o.profiles = "rulers@gen-a";
  EXPECT_NE(refusal(o).find("not a profile"), std::string::npos);
  o.tasks = "ruler";
  o.profiles = "longbench-official";
  EXPECT_NE(refusal(o).find("no task of longbench is asked for"), std::string::npos);
}

TEST(Plan, WrongFlagsAreRefusedNamingThem) {
  const auto with = [](auto change) {
    RunOptions o = options();
    change(o);
    return refusal(o);
  };
  const auto expect = [](const std::string& text, std::string_view part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  expect(with([](RunOptions& o) { o.modes = " , "; }), "--modes");
  expect(with([](RunOptions& o) { o.tasks = ""; }), "no task given");
  expect(with([](RunOptions& o) { o.limit = 0; }), "--limit is 0");
  expect(with([](RunOptions& o) { o.batch_size = -1; }), "--batch-size is -1");
  expect(with([](RunOptions& o) {
           o.timing = true;
           o.batch_size = 8;
         }),
         "--timing takes one sample at a time, --batch-size is 8");
  expect(with([](RunOptions& o) { o.max_new_tokens = 0; }), "--max-new-tokens");
  expect(with([](RunOptions& o) { o.max_length = -5; }), "--max-length");
  expect(with([](RunOptions& o) { o.lengths = "4q"; }), "4q");
  expect(with([](RunOptions& o) { o.lengths = "0"; }), "`0` is not a length");
  expect(with([](RunOptions& o) { o.lengths = "4k,8k,16k"; }),
         "--lengths: 16k is beyond the model's window of 8192 tokens");
  expect(with([](RunOptions& o) { o.lengths = "8193"; }), "8193 is beyond");
  expect(with([](RunOptions& o) { o.modes = "local=3,fa"; }), "starts with the option `local=3`");
  expect(with([](RunOptions& o) { o.device = "tpu"; }), "--device `tpu`");
  expect(with([](RunOptions& o) { o.dtype = "fp16"; }), "--dtype `fp16`");
  expect(with([](RunOptions& o) { o.bos = "none"; }), "--bos `none`");
  expect(with([](RunOptions& o) { o.thinking = "maybe"; }), "--thinking `maybe`");
  expect(with([](RunOptions& o) {
           o.chat_template = false;
           o.model_template = "checkpoint";
         }),
         "contradicts");
  expect(with([](RunOptions& o) {
           o.tasks = "longbench/set";
           o.lengths = "4k";
         }),
         "--lengths");
}

TEST(Plan, FlagsThatCannotActAreRefusedRatherThanRecorded) {
  RunOptions o = options();
  o.thinking = "on";
  EXPECT_NE(refusal(o, ErrorKind::kUnsupported).find("--thinking"), std::string::npos);
  o.thinking = "off";
  EXPECT_EQ(refusal(o), "accepted") << "a prompt without a chat template does not think";
  o.bos = "official";
  EXPECT_NE(refusal(o, ErrorKind::kUnsupported).find("--bos official"), std::string::npos);
}

}  // namespace
}  // namespace elastic::harness
