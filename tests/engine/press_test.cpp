// What presses keep, against plain loops, and what they may be told.

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/rotary.h"
#include "tests/engine/modes.h"
#include "tests/engine/plan_context.h"
#include "tests/engine/press_run.h"

namespace elastic::engine {
namespace {

using elastic::testing::keep_of;
using elastic::testing::KeptSets;
using elastic::testing::press_of;
using elastic::testing::PressSetting;
using elastic::testing::sets_of;

constexpr std::int64_t kPressDim = 16;

at::Tensor press_frequencies() { return rope_frequencies({.theta = 100}, kPressDim); }

AttentionInput random_prompt(std::int64_t tokens, std::int64_t heads_kv, std::int64_t group) {
  AttentionInput prompt{at::randn({heads_kv * group, tokens, kPressDim}).mul(2),
                        at::randn({heads_kv, tokens, kPressDim}),
                        at::randn({heads_kv, tokens, kPressDim}), 0, 0.25};
  prompt.plain_q = at::randn(prompt.q.sizes()) + 0.5;
  return prompt;
}

struct PressCase {
  std::string text;
  PressSetting setting;
};

std::vector<PressCase> press_cases() {
  std::vector<PressCase> cases = {
      {"snapkv:budget=40,window=8", {"snapkv", 40, 8}},
      {"snapkv:budget=41,window=16,kernel=7,pool=max", {"snapkv", 41, 16, 7, true}},
      {"snapkv:budget=40,window=1,kernel=1", {"snapkv", 40, 1, 1}},
      {"snapkv:budget=30,window=40", {"snapkv", 30, 40}},    // the window alone
      {"snapkv:budget=30,window=200", {"snapkv", 30, 200}},  // longer than the prompt
      {"snapkv:budget=40,window=8,adakv=0.25", {"snapkv", 40, 8, 5, false, 4, 1, 0, 0.25}},
      {"snapkv:budget=40,window=8,adakv=0", {"snapkv", 40, 8, 5, false, 4, 1, 0, 0.0}},
      {"snapkv:budget=40,window=8,adakv=1", {"snapkv", 40, 8, 5, false, 4, 1, 0, 1.0}},
      {"tova:budget=33", {"tova", 33}},
      {"tova:budget=1", {"tova", 1}},
      {"tova:budget=33,adakv=0.5", {"tova", 33, 64, 5, false, 4, 1, 0, 0.5}},
      {"streamingllm:budget=20", {"streamingllm", 20}},
      {"streamingllm:budget=3,sink=5", {"streamingllm", 3, 64, 5, false, 5}},
      {"streamingllm:budget=20,sink=0", {"streamingllm", 20, 64, 5, false, 0}},
      {"expected-attention:budget=30,future=50", {"expected-attention", 30, 64, 5, false, 4, 50}},
      {"expected-attention:budget=30,future=1,sink=0,eps=0.01",
       {"expected-attention", 30, 64, 5, false, 0, 1, 0.01}},
      {"expected-attention:budget=30,future=9,adakv=0.2",
       {"expected-attention", 30, 64, 5, false, 4, 9, 0, 0.2}}};
  const at::Tensor turn = press_frequencies().to(at::kDouble);
  for (PressCase& one : cases) {
    one.setting.frequencies.assign(turn.const_data_ptr<double>(),
                                   turn.const_data_ptr<double>() + turn.numel());
  }
  return cases;
}

TEST(Press, KeepsTheKeysOfTheDefinition) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(6);
  for (const PressCase& one : press_cases()) {
    const auto mode = press_of(one.text, press_frequencies());
    for (const auto& [tokens, heads, group] :
         {std::tuple(120, 2, 3), std::tuple(121, 3, 1), std::tuple(29, 1, 2)}) {
      const AttentionInput prompt = random_prompt(tokens, heads, group);
      const KeptSets wanted = kept_by_definition(prompt, one.setting);
      for (const std::int64_t step : {tokens, 50, 7}) {
        EXPECT_EQ(sets_of(keep_of(*mode, prompt, step), prompt), wanted)
            << one.text << ": " << tokens << " tokens in calls of " << step;
      }
    }
  }
}

TEST(Press, NothingIsEvictedOfShortPrompts) {
  const AttentionInput prompt = random_prompt(40, 2, 2);
  for (const char* text :
       {"snapkv", "snapkv:budget=40,window=4", "snapkv:ratio=0,window=4",
        "snapkv:budget=10,window=40", "tova:budget=40", "streamingllm:budget=41",
        "streamingllm:budget=9,sink=40", "expected-attention:budget=9,sink=40,future=2"}) {
    EXPECT_TRUE(keep_of(*press_of(text, press_frequencies()), prompt, 40).empty()) << text;
  }
  EXPECT_FALSE(keep_of(*press_of("snapkv:budget=39,window=39"), prompt, 40).empty());
}

// floor(N (1 - r)) in double, one at least: 10 * (1 - 0.9) lies below 1.
TEST(Press, RatiosAreOfThePrompt) {
  const auto kept = [](const char* text, std::int64_t tokens) {
    return keep_of(*press_of(text), random_prompt(tokens, 1, 1), tokens)[0].numel();
  };
  EXPECT_EQ(kept("tova:ratio=0.9", 10), 1);
  EXPECT_EQ(kept("tova:ratio=0.9", 100), 9);
  EXPECT_EQ(kept("tova:ratio=1", 100), 1);
  EXPECT_EQ(kept("streamingllm:ratio=0.5", 101), 50);
}

TEST(Press, OptionsAndWhatTheyMayBe) {
  using namespace plan_tests;
  const std::vector<std::pair<std::string, std::string>> texts = {
      {"snapkv", "snapkv:budget=1024,window=64,kernel=5,pool=avg"},
      {"snapkv:ratio=0.6,pool=max,kernel=7,window=32,adakv=0.2",
       "snapkv:ratio=0.6,window=32,kernel=7,pool=max,adakv=0.2"},
      {"tova:budget=2k", "tova:budget=2048"},
      {"streamingllm:ratio=0.25", "streamingllm:ratio=0.25,sink=4"},
      {"expected-attention", "expected-attention:budget=1024,future=512,sink=4,eps=0"}};
  for (const auto& [text, wanted] : texts) {
    const AttentionPlan plan = make_attention_plan(text, context());
    EXPECT_EQ(plan.describe(), wanted);
    EXPECT_EQ(make_attention_plan(wanted, context()).describe(), wanted);
    EXPECT_TRUE(plan.evicts() && !plan.selects_in_decode());
    EXPECT_EQ(plan.policy->decide(0, {}).is_sparse, (std::vector<std::uint8_t>{1, 1, 1}));
  }
  EXPECT_FALSE(make_attention_plan("ssa:decode=sparse", context()).evicts());
  const std::vector<std::pair<std::string, std::string>> faults = {
      {"snapkv:budget=0", "budget=0 is not a whole number from 1 up"},
      {"snapkv:ratio=1.5", "ratio=1.5 is not a number from 0 to 1"},
      {"snapkv:ratio=0.5,budget=9", "budget=9 and ratio=0.5 both say how much is kept; give one"},
      {"snapkv:kernel=4", "kernel=4 has no middle; take an odd one"},
      {"snapkv:pool=sum", "pool=sum is neither avg nor max"},
      {"snapkv:decode=sparse",
       "unknown option of `snapkv` `decode`; known: budget, ratio, adakv, window, kernel, pool"},
      {"streamingllm:adakv=0.2",
       "unknown option of `streamingllm` `adakv`; known: budget, ratio, sink"},
      {"expected-attention:eps=-1", "eps=-1 is not a number from 0 up"},
      {"fa-snapkv", "snapkv is a method for all heads of a model; name it alone"}};
  for (const auto& [mode, wanted] : faults) {
    EXPECT_EQ(error_of(mode, context(), ErrorKind::kInvalidArgument),
              "mode `" + mode + "`: " + wanted);
  }
}

}  // namespace
}  // namespace elastic::engine
