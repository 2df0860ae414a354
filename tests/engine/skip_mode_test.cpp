// The mode `skip` as plans and models have it.

#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/attention/attention_plan.h"
#include "engine/device/stage_clock.h"
#include "engine/model/decoder.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/modes.h"
#include "tests/engine/plan_context.h"
#include "tests/engine/plan_run.h"
#include "tests/engine/small_config.h"

namespace elastic::engine {
namespace {

using namespace plan_tests;
using elastic::testing::cpu_generator;
using elastic::testing::demo;
using elastic::testing::PlanRun;
using elastic::testing::request_of;
using elastic::testing::run_plan;
using elastic::testing::same;
using elastic::testing::some_ids;
using elastic::testing::tensor_named;

constexpr const char* kDefaults = "scale=587,decode_scale=16.5,tile=64x128,order=ascending";
constexpr const char* kDefaultNote =
    "prompts of at most 587 tokens are dense, and so are decode steps over at most 16";

TEST(SkipMode, DescriptionsParseBack) {
  const std::vector<RouterWeights> routers = zero_routers();
  const std::string defaults = kDefaults;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"skip", "skip:" + defaults},
      {"skip:order=descending, tile=128x256,scale=1e3,decode_scale=0",
       "skip:scale=1000,decode_scale=0,tile=128x256,order=descending"},
      {"fa-skip:scale=0.5", "fa-skip:scale=0.5,decode_scale=16.5,tile=64x128,order=ascending"},
      {"skip-ssa", "skip-ssa:" + defaults + ",sink=128,local=2048,block=128,decode=full"}};
  for (const auto& [text, wanted] : cases) {
    EXPECT_EQ(make_attention_plan(text, context(routers)).describe(), wanted);
    EXPECT_EQ(make_attention_plan(wanted, context(routers)).describe(), wanted);
  }
}

TEST(SkipMode, BadOptionsSayWhatTheyMayBe) {
  const std::vector<RouterWeights> routers = zero_routers();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"skip:scale=-1", "scale=-1 is not a number from 0 up"},
      {"skip:decode_scale=much", "decode_scale=much is not a number from 0 up"},
      {"skip:scale=inf", "scale=inf is not a number from 0 up"},
      {"skip:scale=nan", "scale=nan is not a number from 0 up"},
      {"skip:tile=64", "tile=64 is not ROWSxKEYS, as in tile=64x128"},
      {"skip:tile=64x", "tile=64x is not ROWSxKEYS, as in tile=64x128"},
      {"skip:tile=0x128", "tile=0x128 is not ROWSxKEYS, as in tile=64x128"},
      {"skip:tile=64x0", "tile=64x0 is not ROWSxKEYS, as in tile=64x128"},
      {"skip:tile=96x128", "tile=96x128 has 96 rows, which have to divide 128"},
      {"skip:tile=256x128", "tile=256x128 has 256 rows, which have to divide 128"},
      {"skip:order=up", "order=up is neither ascending nor descending"},
      {"skip:splits=2",
       "unknown option of `skip` `splits`; known: scale, decode_scale, tile, order"},
      {"skip-ssa:decode=sparse",
       "decode=sparse cuts caches that skip would read whole; leave decode out"}};
  for (const auto& [mode, wanted] : cases) {
    EXPECT_EQ(error_of(mode, context(routers), ErrorKind::kInvalidArgument),
              "mode `" + mode + "`: " + wanted);
  }
}

TEST(SkipMode, WhatIsDenseAndWhatIsNotIsSaid) {
  const std::vector<RouterWeights> routers = zero_routers();
  const auto note = [&](const std::string& mode) {
    return make_attention_plan(mode, context(routers)).note;
  };
  const std::string dense = kDefaultNote;
  EXPECT_EQ(note("skip"), "mode `skip`: " + dense);
  EXPECT_EQ(note("fa-skip"), "mode `fa-skip`: " + dense);
  EXPECT_EQ(note("skip-ssa"),
            "mode `skip-ssa`: " + dense +
                "; retrieval heads are not full either, skip passes over tiles of theirs");
}

TEST(SkipMode, TheRuleIsOfTheKeysOfTheCall) {
  const auto mode = testing::mode_of("skip:scale=100,decode_scale=20,tile=32x64,order=descending");
  EXPECT_TRUE(mode->places().kernel_loop);
  EXPECT_FALSE(mode->skip_rule(100, false)) << "lambda is 1";
  EXPECT_FALSE(mode->skip_rule(20, true));
  const std::optional<SkipRule> prompt = mode->skip_rule(101, false);
  const std::optional<SkipRule> step = mode->skip_rule(100, true);
  ASSERT_TRUE(prompt && step);
  EXPECT_DOUBLE_EQ(prompt->log_threshold, std::log(100.0 / 101));
  EXPECT_DOUBLE_EQ(step->log_threshold, std::log(0.2));
  EXPECT_EQ(prompt->rows, 32);
  EXPECT_EQ(prompt->keys, 64);
  EXPECT_EQ(step->keys, 128);
  EXPECT_FALSE(prompt->ascending || step->ascending);
  EXPECT_TRUE(!prompt->group_decides && step->group_decides);
  EXPECT_FALSE(testing::mode_of("skip:scale=0,decode_scale=0")->skip_rule(1000, true));
  EXPECT_FALSE(testing::mode_of("fa")->skip_rule(1000, true));
}

// Of random weights scores hardly differ, so that only thresholds close to 1 skip anything.
TEST(SkipMode, PromptsAndStepsHaveScalesOfTheirOwn) {
  const PlanRun full = run_plan("fa"), nothing = run_plan("skip:scale=0,decode_scale=0"),
                prompt = run_plan("skip:scale=299.99,decode_scale=0"),
                step = run_plan("skip:scale=0,decode_scale=300.99"),
                short_prompt = run_plan("skip:scale=300,decode_scale=301");
  EXPECT_FALSE(full.trace.pv_density || nothing.trace.pv_density || step.trace.pv_density);
  EXPECT_FALSE(short_prompt.trace.pv_density) << "lambda is 1";
  ASSERT_TRUE(prompt.trace.pv_density);
  EXPECT_LT(*prompt.trace.pv_density, 1);
  EXPECT_EQ(prompt.trace.block_density, 1);
  EXPECT_EQ(prompt.trace.esr.all_layers, 0);
  EXPECT_TRUE(same(nothing.prompt, full.prompt) && same(nothing.step, full.step));
  EXPECT_TRUE(same(short_prompt.prompt, full.prompt) && same(short_prompt.step, full.step));
  EXPECT_FALSE(same(prompt.prompt, full.prompt));
  EXPECT_TRUE(same(step.prompt, full.prompt));
  EXPECT_FALSE(same(step.step, full.step));
}

TEST(SkipMode, ChunkedPromptsSkipTheSameTiles) {
  const auto whole = cpu_generator(demo(), "fp32", 1024),
             chunked = cpu_generator(demo(), "fp32", 128);
  for (const char* mode : {"skip:scale=200,decode_scale=20", "skip:scale=200,order=descending"}) {
    Request request = request_of(some_ids(900, 7, 6000), 8);
    request.all_logits = true;
    whole->set_mode(mode);
    chunked->set_mode(mode);
    const Result a = whole->generate(request), b = chunked->generate(request);
    EXPECT_EQ(a.ids, b.ids);
    ASSERT_TRUE(a.trace.pv_density && b.trace.pv_density);
    EXPECT_EQ(*a.trace.pv_density, *b.trace.pv_density) << mode;
    EXPECT_LT(*a.trace.pv_density, 1) << mode;
    const auto& x = tensor_named(a, "logits").values;
    const auto& y = tensor_named(b, "logits").values;
    ASSERT_EQ(x.size(), y.size());
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      worst = std::max(worst, static_cast<double>(std::abs(x[i] - y[i])));
    }
    EXPECT_LT(worst, 1e-3) << mode;
  }
}

}  // namespace
}  // namespace elastic::engine
