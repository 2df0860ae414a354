// MoBA, InfLLM-V2 and NSA as plans, in decode steps, and in whole models.

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/attention/attention_plan.h"
#include "engine/device/stage_clock.h"
#include "engine/model/decoder.h"
#include "tests/engine/all_heads.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/modes.h"
#include "tests/engine/plan_context.h"
#include "tests/engine/row_visibility.h"
#include "tests/engine/small_config.h"
#include "tests/engine/stored_tensors.h"

namespace elastic::engine {
namespace {

using plan_tests::context;
using plan_tests::error_of;

constexpr const char* kInfllm =
    "infllm2:kernel=32,stride=16,coarse=128,coarse_stride=64,block=64,init=1,local=2048,topk=96,"
    "dense_len=8192,rounding=exact,weights=untrained";

TEST(RowModes, DescriptionsParseBack) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"moba", "moba:chunk=1024,topk=8,decode=dense,weights=untrained"},
      {"moba:decode=gated,weights=trained,chunk=4k,topk=12",
       "moba:chunk=4096,topk=12,decode=gated,weights=trained"},
      {"infllm2", kInfllm},
      {"nsa",
       "nsa:compress=avgpool,kernel=32,stride=16,block=64,topk=128,init=1,local=2,window=512,"
       "weights=untrained"},
      {"nsa:compress=meanpool,block=32,weights=untrained",
       "nsa:compress=meanpool,block=32,topk=16,init=0,local=1,window=512,weights=untrained"},
      {"nsa:compress=linear,weights=random,topk=16",
       "nsa:compress=linear,kernel=32,stride=16,block=64,topk=16,init=1,local=2,window=512,"
       "weights=random"},
      {"infllm2:rounding=public,dense_len=0,local=0,init=0,block=32,weights=trained",
       "infllm2:kernel=32,stride=16,coarse=128,coarse_stride=64,block=32,init=0,local=0,topk=96,"
       "dense_len=0,rounding=public,weights=trained"}};
  for (const auto& [text, wanted] : cases) {
    EXPECT_EQ(make_attention_plan(text, context()).describe(), wanted);
    EXPECT_EQ(make_attention_plan(wanted, context()).describe(), wanted);
  }
}

TEST(RowModes, TheConfigSaysWhatACheckpointWasTrainedFor) {
  PlanContext trained = context();
  trained.sparse_mode = "moba:chunk=512,topk=4";
  EXPECT_EQ(make_attention_plan("moba:topk=5", trained).describe(),
            "moba:chunk=512,topk=5,decode=dense,weights=trained");
  EXPECT_EQ(make_attention_plan("moba", trained).note, "");
  EXPECT_EQ(make_attention_plan("infllm2", trained).describe(), kInfllm);
  EXPECT_NE(make_attention_plan("moba", context()).note.find("untrained moba"), std::string::npos);
  EXPECT_NE(make_attention_plan("nsa", context()).note.find("untrained nsa"), std::string::npos);
}

TEST(RowModes, BadOptionsSayWhatTheyMayBe) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"moba:chunk=0", "chunk=0 is not a whole number from 1 up"},
      {"moba:topk=0", "topk=0 is not a whole number from 1 up"},
      {"moba:decode=sparse", "decode=sparse is neither dense nor gated"},
      {"moba:weights=random", "weights=random is neither untrained nor trained"},
      {"infllm2:kernel=24", "kernel=24 is not a multiple of stride=16"},
      {"infllm2:coarse=96", "coarse=96 is not a multiple of coarse_stride=64"},
      {"infllm2:block=24", "block=24 is not a multiple of stride=16"},
      {"infllm2:local=100", "local=100 is not a multiple of block=64"},
      {"nsa:compress=sum", "compress=sum is none of avgpool, weightedpool, linear, meanpool"},
      {"nsa:weights=good", "weights=good is neither trained, untrained nor random"},
      {"nsa:block=40", "block=40 is not a multiple of stride=16"},
      {"infllm2:rounding=up", "rounding=up is neither exact nor public"}};
  for (const auto& [mode, wanted] : cases) {
    EXPECT_EQ(error_of(mode, context(), ErrorKind::kInvalidArgument),
              "mode `" + mode + "`: " + wanted);
  }
  EXPECT_EQ(error_of("nsa:compress=linear", context(), ErrorKind::kUnsupported),
            "mode `nsa:compress=linear`: compress=linear needs trained tensors; weights=random "
            "measures its speed");
}

// Steps of one sequence: what the state keeps grows with it.
void expect_steps(const std::string& text,
                  const std::function<testing::Visibility(const AttentionInput&)>& visible) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(3);
  const auto mode = testing::mode_of(text);
  HeadState state;
  const at::Tensor k = at::randn({2, 200, 24}), v = at::randn({2, 200, 24});
  for (const std::int64_t tokens : {5, 31, 32, 90, 91, 96, 97, 130, 200}) {
    const AttentionInput input =
        testing::input_of(at::randn({6, 1, 24}), k.narrow(1, 0, tokens), v.narrow(1, 0, tokens));
    const BlockMask mask = mode->decode_mask(input, testing::all_heads(input), state);
    const testing::Visibility wanted = visible(input);
    for (std::int64_t h = 0; h < 6; ++h) {
      for (std::int64_t j = 0; j < tokens; ++j) {
        ASSERT_EQ(is_visible(mask, h, tokens - 1, j), wanted(h, tokens - 1, j))
            << text << " head " << h << " key " << j << " of " << tokens;
      }
    }
  }
}

TEST(RowModes, StepsReadWhatTheDefinitionNames) {
  expect_steps("moba:chunk=16,topk=3,decode=gated",
               [](const auto& input) { return testing::moba_visibility(input, 16, 3); });
  expect_steps("moba:chunk=16,topk=3", [](const auto&) { return [](auto...) { return true; }; });
  const testing::InfllmSetting s{8, 4, 32, 16, 16, 1, 16, 4};
  const std::string sizes =
      "infllm2:kernel=8,stride=4,coarse=32,coarse_stride=16,block=16,init=1,local=16,topk=4";
  const testing::InfllmSetting none{32, 4, 64, 32, 4, 1, 0, 2};  // at first there are no windows
  expect_steps(
      "infllm2:kernel=32,stride=4,coarse=64,coarse_stride=32,block=4,local=0,topk=2,dense_len=0",
      [&](const auto& input) { return testing::infllm_visibility(input, none); });
  const auto sparse = [&](const auto& input) { return testing::infllm_visibility(input, s); };
  expect_steps(sizes + ",dense_len=0", sparse);
  expect_steps(sizes + ",dense_len=0,rounding=public", sparse);  // of prompts alone
  expect_steps(sizes + ",dense_len=97", [&](const auto& input) -> testing::Visibility {
    if (input.k.size(1) < 97) return [](auto...) { return true; };
    return sparse(input);
  });
}

// Activations of a prompt, and of the steps of three tokens (5, 6, 7) after it.
struct RowRun {
  std::vector<at::Tensor> parts;
  double density = 0;
};

RowRun run_rows(const std::string& mode, std::int64_t chunk, std::int64_t tokens = 200) {
  const c10::InferenceMode no_gradients;
  const ModelConfig config = elastic::testing::small_config(2);
  Decoder decoder(random_weights(config, at::kFloat, at::kCPU, 9), chunk);
  const AttentionPlan plan = make_attention_plan(
      mode, {.layers = 2, .heads_q = config.heads_q, .heads_kv = config.heads_kv});
  Sequence sequence = decoder.start(tokens + 3);
  StageClock clock(decoder.device());
  RowRun run;
  run.parts.push_back(
      decoder.prefill(sequence, elastic::testing::some_ids(tokens, 7), plan, clock).clone());
  Trace trace;
  sequence.sparsity.fill(trace);
  run.density = 1 - trace.esr.all_layers;
  std::vector<Sequence*> batch = {&sequence};
  for (const std::int32_t id : {5, 6, 7}) {
    run.parts.push_back(decoder.step(batch, std::vector<std::int32_t>{id}, plan));
  }
  return run;
}

bool same_parts(const RowRun& a, const RowRun& b, std::size_t first, std::size_t last) {
  for (std::size_t i = first; i < last; ++i) {
    if (!a.parts[i].allclose(b.parts[i], 1e-4, 1e-5)) return false;
  }
  return true;
}

constexpr const char* kSparseModes[] = {
    "moba:chunk=32,topk=3,decode=gated",
    "infllm2:kernel=8,stride=4,coarse=32,coarse_stride=16,block=16,local=32,topk=6,dense_len=0",
    "nsa:kernel=8,stride=4,block=16,topk=5,window=32", "nsa:compress=meanpool,block=16,topk=5"};

TEST(RowModes, SettingsThatSeeEverythingAreFullAttention) {
  const RowRun full = run_rows("fa", 128);
  for (const char* mode : {"moba:chunk=32,topk=10,decode=gated", "moba", "infllm2",
                           "infllm2:dense_len=0", "infllm2:block=32,topk=10,dense_len=0"}) {
    const RowRun dense = run_rows(mode, 128);
    EXPECT_TRUE(same_parts(dense, full, 0, 4)) << mode;
    EXPECT_EQ(dense.density, 1) << mode;
  }
  for (const char* mode : kSparseModes) {
    const RowRun sparse = run_rows(mode, 128);
    EXPECT_FALSE(same_parts(sparse, full, 0, 1)) << mode;
    EXPECT_LT(sparse.density, 0.8) << mode;
  }
}

TEST(RowModes, DecodeIsItsOwnChoice) {
  const RowRun dense = run_rows("moba:chunk=32,topk=3", 128),
               gated = run_rows("moba:chunk=32,topk=3,decode=gated", 128);
  EXPECT_TRUE(same_parts(dense, gated, 0, 1));
  EXPECT_FALSE(same_parts(dense, gated, 1, 2));
  const std::string sizes =
      "infllm2:kernel=8,stride=4,coarse=32,coarse_stride=16,block=16,local=32,"
      "topk=6,dense_len=202";
  const RowRun full = run_rows("fa", 128),
               late = run_rows(sizes, 128);  // sparse from the second step on
  EXPECT_TRUE(same_parts(late, full, 0, 2));
  EXPECT_FALSE(same_parts(late, full, 2, 3));
}

TEST(RowModes, ChunkedPromptsSeeTheSameKeys) {
  for (const char* mode : kSparseModes) {
    EXPECT_TRUE(same_parts(run_rows(mode, 128), run_rows(mode, 1024), 0, 4)) << mode;
  }
}

TEST(RowModes, StepsGoOnAsThePromptWould) {
  const c10::InferenceMode no_gradients;
  const ModelConfig config = elastic::testing::small_config(2);
  Decoder decoder(random_weights(config, at::kFloat, at::kCPU, 9), 128);
  std::vector<std::int32_t> ids = elastic::testing::some_ids(200, 7);
  ids.insert(ids.end(), {5, 6, 7});
  for (const char* mode : kSparseModes) {
    const AttentionPlan plan = make_attention_plan(
        mode, {.layers = 2, .heads_q = config.heads_q, .heads_kv = config.heads_kv});
    Sequence sequence = decoder.start(203);
    StageClock clock(decoder.device());
    const at::Tensor whole = decoder.prefill(sequence, ids, plan, clock);
    const RowRun stepped = run_rows(mode, 128);
    for (std::int64_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(
          stepped.parts[static_cast<std::size_t>(i + 1)][0].allclose(whole[200 + i], 1e-4, 1e-5))
          << mode << " step " << i;
    }
  }
}

TEST(RowModes, SequencesOfABatchAreThemselvesAlone) {
  const c10::InferenceMode no_gradients;
  const ModelConfig config = elastic::testing::small_config(2);
  Decoder decoder(random_weights(config, at::kFloat, at::kCPU, 9), 128);
  for (const char* mode : kSparseModes) {
    const AttentionPlan plan = make_attention_plan(
        mode, {.layers = 2, .heads_q = config.heads_q, .heads_kv = config.heads_kv});
    StageClock clock(decoder.device());
    Sequence longer = decoder.start(310), shorter = decoder.start(160);
    decoder.prefill(longer, elastic::testing::some_ids(200, 7), plan, clock);
    decoder.prefill(shorter, elastic::testing::some_ids(150, 7), plan, clock);
    std::vector<Sequence*> batch = {&longer, &shorter};
    const RowRun first = run_rows(mode, 128), second = run_rows(mode, 128, 150);
    for (std::size_t i = 1; i < 4; ++i) {
      const auto id = static_cast<std::int32_t>(i + 4);
      const at::Tensor rows = decoder.step(batch, std::vector<std::int32_t>{id, id}, plan);
      EXPECT_TRUE(rows[0].allclose(first.parts[i][0], 1e-4, 1e-5)) << mode;
      EXPECT_TRUE(rows[1].allclose(second.parts[i][0], 1e-4, 1e-5)) << mode;
    }
  }
}

}  // namespace
}  // namespace elastic::engine
