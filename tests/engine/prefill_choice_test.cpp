// FlexPrefill and FlashPrefill: stored choices and results, those of golden/attention2 and our own
// small ones; their options; and whole models that run in them.

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "engine/attention/flashprefill.h"
#include "engine/attention/flexprefill.h"
#include "engine/device/stage_clock.h"
#include "engine/io/safetensors.h"
#include "engine/model/decoder.h"
#include "tests/engine/all_heads.h"
#include "tests/engine/golden_counts.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/modes.h"
#include "tests/engine/plan_context.h"
#include "tests/engine/skip_run.h"
#include "tests/engine/small_config.h"
#include "tests/engine/stored_tensors.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

using testing::floats;

// One stored file.
struct Stored {
  const SafetensorsFile& file;
  const Json& entry;

  double number(const char* key) const { return entry.at("params").at(key).get<double>(); }
  std::int64_t size(const char* key) const {
    return entry.at("params").at(key).get<std::int64_t>();
  }
  at::Tensor whole(const char* name) const {
    const TensorView& view = file.at(name);
    return at::tensor(testing::integers(view)).view(view.shape);
  }
  AttentionInput input(at::ScalarType type) const {
    return testing::input_of(floats(file, "q").to(type), floats(file, "k").to(type),
                             floats(file, "v").to(type));
  }
  std::string name() const { return entry.at("file").get<std::string>(); }
};

void expect_near(const at::Tensor& got, const at::Tensor& wanted, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(got.sizes(), wanted.sizes()) << what;
  EXPECT_LE((got.to(at::kFloat) - wanted).abs().max().item<double>(), tolerance) << what;
}

// The mode's blocks and what it computes; nothing stored lies near a tie.
void check_mode(const Stored& stored, const std::string& text) {
  if (stored.file.find("margin") != nullptr) {
    EXPECT_GT(floats(stored.file, "margin").min().item<double>(), 1e-5) << stored.name();
  }
  const at::Tensor picked = at::tensor(testing::integers(stored.file.at("rows")));
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const AttentionInput input = stored.input(type);
    const std::vector<int> heads = testing::all_heads(input);
    const at::Tensor keep = testing::mode_of(text)->choose_blocks(input, {heads}).keep;
    EXPECT_TRUE(keep.to(at::kLong).equal(stored.whole("block_mask"))) << stored.name();
    const testing::Computed got = testing::compute(input, testing::groups_of(text, input));
    const Json& tolerance = stored.entry.at("tolerance");
    expect_near(got.out.index_select(1, picked), floats(stored.file, "out"),
                tolerance.at(type == at::kFloat ? "fp32_abs" : "bf16_abs").get<double>(),
                stored.name());
    expect_near(got.lse.index_select(1, picked), floats(stored.file, "lse"),
                5 * tolerance.at("fp32_abs").get<double>(), stored.name() + " lse");
  }
}

void check_flex(const Stored& stored) {
  const Json& max = stored.entry.at("params").at("max_budget");
  const FlexPrefillOptions options{stored.number("gamma"), stored.number("tau"),
                                   stored.size("block"), stored.size("min_budget"),
                                   max.is_null() ? 0 : max.get<std::int64_t>()};
  check_mode(stored,
             fmt::format("flexprefill:gamma={},tau={},block={},min={},max={}", options.gamma,
                         options.tau, options.block, options.min, options.max));
  if (stored.file.find("counts") == nullptr) return;  // so short that it is dense
  const FlexPrefillHeads heads = flex_prefill(stored.input(at::kFloat), options);
  for (const auto& [name, found] : {std::pair("vertical", heads.vertical),
                                    {"slash", heads.slash},
                                    {"sqrt_jsd", heads.sqrt_jsd}}) {
    expect_near(found, floats(stored.file, name), 1e-5, stored.name() + " " + name);
  }
  EXPECT_TRUE(heads.counts.equal(stored.whole("counts"))) << stored.name();
  EXPECT_TRUE(heads.query_aware.to(at::kLong).equal(stored.whole("query_aware"))) << stored.name();
}

// Scores are stored as shares of the row.
void check_flash(const Stored& stored) {
  const std::int64_t block = stored.size("block");
  check_mode(stored, fmt::format("flashprefill:alpha={},block={},sink={},window={},last={},min={}",
                                 stored.number("alpha"), block, stored.size("sink_blocks"),
                                 stored.size("window_blocks"), stored.size("last_blocks_full"),
                                 stored.size("min_budget_blocks")));
  const at::Tensor scores = flash_prefill_scores(stored.input(at::kFloat), block);
  expect_near(scores / scores.sum(2, true).clamp_min(1e-300), floats(stored.file, "score"), 1e-5,
              stored.name() + " score");
}

template <void (*check)(const Stored&)>
int as_one(const SafetensorsFile& file, const Json& entry) {
  check({file, entry});
  return 1;
}

const testing::Checks kChoiceChecks = {{"flexprefill", as_one<check_flex>},
                                       {"flashprefill", as_one<check_flash>}};

TEST(Golden_attention2, PrefillChoices) { testing::check_golden("attention2", kChoiceChecks); }

TEST(PrefillChoice, OwnFolder) {
  const testing::Counts wanted = {{"flexprefill", 1}, {"flashprefill", 1}};
  EXPECT_EQ(testing::check_listed(testing::fixture("attention2"), kChoiceChecks), wanted);
}

TEST(PrefillChoice, DescriptionsParseBack) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"flexprefill", "flexprefill:gamma=0.95,tau=0.1,block=128,min=1024"},
      {"flexprefill:max=4k,gamma=0.9,block=64,min=512",
       "flexprefill:gamma=0.9,tau=0.1,block=64,min=512,max=4096"},
      {"flashprefill", "flashprefill:alpha=0.18,block=128,sink=2,window=4,last=2,min=0"},
      {"flashprefill:min=8,last=0,alpha=0.12,window=1",
       "flashprefill:alpha=0.12,block=128,sink=2,window=1,last=0,min=8"}};
  for (const auto& [text, wanted] : cases) {
    EXPECT_EQ(make_attention_plan(text, plan_tests::context()).describe(), wanted);
    const AttentionPlan again = make_attention_plan(wanted, plan_tests::context());
    EXPECT_EQ(again.describe(), wanted);
    EXPECT_EQ(again.note, "");
  }
}

TEST(PrefillChoice, DefaultsSayWhomTheyWerePublishedFor) {
  const auto note = [](const std::string& mode) {
    return make_attention_plan(mode, plan_tests::context()).note;
  };
  EXPECT_EQ(note("flexprefill:tau=0.2"),
            "mode `flexprefill:tau=0.2`: gamma=0.95 is published for Llama-3.1-8B and GLM-4-9B "
            "(Qwen2-7B and Yi-9B: 0.9)");
  EXPECT_EQ(note("flashprefill"),
            "mode `flashprefill`: alpha=0.18 is published for Llama-3.1-8B (Qwen2.5-7B: 0.08, "
            "Qwen3-30B-A3B: 0.12)");
}

TEST(PrefillChoice, BadOptionsSayWhatTheyMayBe) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"flexprefill:block=96", "block=96 has to divide 128"},
      {"flexprefill:min=512,max=256", "max=256 is less than min=512"},
      {"flexprefill:splits=1",
       "unknown option of `flexprefill` `splits`; known: gamma, tau, block, min, max"},
      {"flashprefill:block=256", "block=256 has to divide 128"},
      {"flashprefill:splits=1",
       "unknown option of `flashprefill` `splits`; known: alpha, block, sink, window, last, min"}};
  for (const auto& [mode, wanted] : cases) {
    EXPECT_EQ(plan_tests::error_of(mode, plan_tests::context(), ErrorKind::kInvalidArgument),
              "mode `" + mode + "`: " + wanted);
  }
  for (const char* mode : {"flexprefill:gamma=1.1", "flexprefill:min=0", "flexprefill:tau=-1",
                           "flashprefill:window=0", "flashprefill:alpha=2", "flashprefill-ssa"}) {
    plan_tests::error_of(mode, plan_tests::context(), ErrorKind::kInvalidArgument);
  }
}

struct Passed {
  Trace trace;
  at::Tensor prompt, step;  // activations of the prompt, and of one token after it
};

// 301 tokens in chunks of 128, and one more.
Passed pass(const std::string& mode) {
  const c10::InferenceMode no_gradients;
  const ModelConfig config = testing::small_config(2);
  Decoder decoder(random_weights(config, at::kFloat, at::kCPU, 9), 128);
  const AttentionPlan plan = make_attention_plan(
      mode, {.layers = 2, .heads_q = config.heads_q, .heads_kv = config.heads_kv});
  Sequence sequence = decoder.start(302);
  StageClock clock(decoder.device());
  Passed passed;
  passed.prompt = decoder.prefill(sequence, testing::some_ids(301, 7), plan, clock).clone();
  sequence.sparsity.fill(passed.trace);
  std::vector<Sequence*> batch = {&sequence};
  passed.step = decoder.step(batch, std::vector<std::int32_t>{5}, plan);
  return passed;
}

constexpr const char* kDense[] = {"flexprefill", "flexprefill:min=290,block=16", "flashprefill",
                                  "flashprefill:alpha=0,block=16,window=1"};
constexpr const char* kSparse[] = {"flexprefill:gamma=0.5,tau=0,min=32,block=32",
                                   "flexprefill:gamma=0.5,tau=1,min=32,block=32",
                                   "flashprefill:alpha=0.99,block=32,sink=1,window=2,last=1"};

TEST(PrefillChoice, WhatLeavesOutNothingIsFullAttention) {
  const Passed full = pass("fa");
  for (const char* mode : kDense) {
    const Passed dense = pass(mode);
    EXPECT_EQ(dense.trace.block_density, 1) << mode;
    EXPECT_EQ(dense.trace.esr.all_layers, 0) << mode;
    EXPECT_TRUE(dense.prompt.allclose(full.prompt, 1e-4, 1e-5)) << mode;
    EXPECT_TRUE(dense.step.allclose(full.step, 1e-4, 1e-5)) << mode;
  }
  for (const char* mode : kSparse) {
    const Passed sparse = pass(mode);
    EXPECT_GT(sparse.trace.esr.all_layers, 0.1) << mode;
    EXPECT_FALSE(sparse.prompt.allclose(full.prompt, 1e-4, 1e-5)) << mode;
  }
}

// A prompt is one to the mode however its rows are cut, and its own in a batch of others.
TEST(PrefillChoice, ChunksAndBatchesDoNotChangeResults) {
  const auto whole = testing::cpu_generator(testing::demo(), "fp32", 1024),
             chunked = testing::cpu_generator(testing::demo(), "fp32", 128);
  for (const char* mode : kSparse) {
    SCOPED_TRACE(mode);
    whole->set_mode(mode);
    chunked->set_mode(mode);
    std::vector<Request> batch = {testing::request_of(testing::some_ids(900, 7, 6000), 6),
                                  testing::request_of(testing::some_ids(40, 11, 6000), 3),
                                  testing::request_of(testing::some_ids(513, 5, 6000), 6)};
    for (Request& request : batch) request.all_logits = true;
    const std::vector<Result> together = chunked->generate(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Result alone = whole->generate(batch[i]);
      EXPECT_EQ(together[i].ids, alone.ids);
      EXPECT_EQ(together[i].trace.block_density, alone.trace.block_density);
      EXPECT_EQ(together[i].trace.esr.all_layers, alone.trace.esr.all_layers);
      if (i != 1) {
        EXPECT_GT(alone.trace.esr.all_layers, 0.1);
      }
      const auto& a = testing::tensor_named(together[i], "logits").values;
      const auto& b = testing::tensor_named(alone, "logits").values;
      ASSERT_EQ(a.size(), b.size());
      double worst = 0;
      for (std::size_t n = 0; n < a.size(); ++n) {
        worst = std::max(worst, static_cast<double>(std::abs(a[n] - b[n])));
      }
      EXPECT_LT(worst, 1e-3);
    }
  }
}

}  // namespace
}  // namespace elastic::engine
