// Presses in models: decode steps over what a cache kept against dense attention that is masked to
// the same positions, requests together and alone, and what the caches hold.

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/device/stage_clock.h"
#include "engine/model/decoder.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/press_run.h"
#include "tests/engine/small_config.h"

namespace elastic::engine {
namespace {

using elastic::testing::cpu_generator;
using elastic::testing::fixture;
using elastic::testing::kept_by_definition;
using elastic::testing::KeptSets;
using elastic::testing::press_of;
using elastic::testing::PressSetting;
using elastic::testing::request_of;
using elastic::testing::some_ids;

constexpr std::int64_t kPressPrompt = 300, kPressNew = 4;

// Keeps the whole cache and masks what a press would have evicted, by the definition.
class MaskedPress final : public HeadMode {
 public:
  explicit MaskedPress(PressSetting setting) : setting_(std::move(setting)) {}

  std::string_view name() const override { return "masked"; }
  std::string describe() const override { return "masked"; }
  ModePlaces places() const override {
    return {.prefill_mask = true, .decode_selection = true, .plain_inputs = true};
  }

  BlockMask block_mask(const AttentionInput& input, std::span<const int>) const override {
    Layer& layer = layers_[input.layer];
    layer.q.push_back(input.q.clone());
    layer.plain_q.push_back(input.plain_q.clone());
    layer.prompt = input;
    if (input.q_start + input.q.size(1) == kPressPrompt) {
      layer.prompt.q = at::cat(layer.q, 1);
      layer.prompt.plain_q = at::cat(layer.plain_q, 1);
      layer.prompt.q_start = 0;
      layer.kept = kept_by_definition(layer.prompt, setting_);
    }
    return dense_mask(input.span());
  }

  BlockMask decode_mask(const AttentionInput& input, std::span<const int> kv_heads,
                        HeadState&) const override {
    BlockMask mask{.query_block = 1, .first_block = input.q_start, .heads = {}, .window = {}};
    for (const int head : query_heads(input, kv_heads)) {
      HeadMask ranges;
      const auto kv = static_cast<std::size_t>(head / (input.q.size(0) / input.k.size(0)));
      for (const std::int64_t j : layers_[input.layer].kept[kv]) {
        ranges.ranges.push_back({j, j + 1});
      }
      ranges.ranges.push_back({kPressPrompt, input.k.size(1)});
      ranges.offsets = {0, static_cast<std::int64_t>(ranges.ranges.size())};
      mask.heads.push_back(std::move(ranges));
    }
    return mask;
  }

 private:
  struct Layer {
    std::vector<at::Tensor> q, plain_q;
    AttentionInput prompt;
    KeptSets kept;
  };
  PressSetting setting_;
  mutable std::map<std::int64_t, Layer> layers_;
};

struct PressSteps {
  at::Tensor prompt, steps;  // activations of the prompt, and of the tokens after it
  std::int64_t bytes = 0, bytes_full = 0;
};

PressSteps press_steps(std::unique_ptr<HeadMode> mode) {
  const c10::InferenceMode no_gradients;
  const ModelConfig config = elastic::testing::small_config(2);
  DecoderWeights weights = random_weights(config, at::kFloat, at::kCPU, 9);
  for (LayerWeights& layer : weights.layers) layer.qkv.mul_(6);  // attention that is not flat
  Decoder decoder(std::move(weights), 128);
  const AttentionPlan plan{.name = "press",
                           .policy = make_uniform(true, config.heads_kv, 0),
                           .retrieval = nullptr,
                           .sparse = std::move(mode),
                           .note = {}};
  Sequence sequence = decoder.start(kPressPrompt);
  StageClock clock(decoder.device());
  PressSteps result;
  result.prompt = decoder.prefill(sequence, some_ids(kPressPrompt, 7), plan, clock).clone();
  std::vector<Sequence*> batch = {&sequence};
  std::vector<at::Tensor> steps;
  for (const std::int32_t id : some_ids(kPressNew, 11)) {
    steps.push_back(decoder.step(batch, std::vector<std::int32_t>{id}, plan).clone());
  }
  result.steps = at::cat(steps);
  result.bytes = sequence.cache.bytes(sequence.tokens);
  result.bytes_full = sequence.cache.bytes_full(sequence.tokens);
  return result;
}

TEST(PressModel, StepsAreThoseOfDenseAttentionOverTheKeptPositions) {
  const ModelConfig config = elastic::testing::small_config(2);
  const at::Tensor turn = rope_frequencies(config.rope, config.head_dim);
  const at::Tensor wide = turn.to(at::kDouble);
  const std::vector<double> frequencies(wide.const_data_ptr<double>(),
                                        wide.const_data_ptr<double>() + wide.numel());
  const PressSteps dense = press_steps(press_of("fa"));
  EXPECT_EQ(dense.bytes, dense.bytes_full);
  const std::vector<std::pair<std::string, PressSetting>> cases = {
      {"snapkv:budget=90", {"snapkv", 90}},  // the window reaches into the chunk before the last
      {"snapkv:budget=70,adakv=0.2", {"snapkv", 70, 64, 5, false, 4, 512, 0, 0.2}},
      {"tova:budget=40", {"tova", 40}},
      {"streamingllm:budget=50", {"streamingllm", 50}},
      {"expected-attention:budget=60,future=30",
       {"expected-attention", 60, 64, 5, false, 4, 30, 0, {}, frequencies}}};
  for (const auto& [text, setting] : cases) {
    const PressSteps press = press_steps(press_of(text, turn));
    const PressSteps masked = press_steps(std::make_unique<MaskedPress>(setting));
    EXPECT_TRUE(press.prompt.equal(dense.prompt)) << text;
    EXPECT_TRUE(press.steps.allclose(masked.steps, 1e-4, 1e-5)) << text;
    EXPECT_FALSE(press.steps.allclose(dense.steps, 1e-4, 1e-5)) << text;
    EXPECT_EQ(press.bytes * (kPressPrompt + kPressNew),
              press.bytes_full * (setting.kept + kPressNew))
        << text;
  }
}

TEST(PressModel, RequestsTogetherAreAnsweredAsAlone) {
  const auto generator = cpu_generator(fixture("models/llama_llama3_shards"));
  std::vector<Request> batch;
  for (const std::int64_t tokens : {200, 30, 1, 90}) {
    batch.push_back(request_of(some_ids(tokens, 7), 9));
  }
  const std::vector<Result> dense = generator->generate(batch);
  const std::vector<std::pair<std::string, std::int64_t>> modes = {
      {"snapkv:budget=40,window=8", 40},
      {"snapkv:budget=40,window=8,adakv=0.2", 40},
      {"tova:budget=40", 40},
      {"streamingllm:budget=40", 40},
      {"expected-attention:budget=40", 40},
      {"snapkv:budget=200", 200}};
  for (const auto& [mode, budget] : modes) {
    generator->set_mode(mode);
    const std::vector<Result> together = generator->generate(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Result alone = generator->generate(batch[i]);
      const std::int64_t tokens = std::ssize(batch[i].ids), kept = std::min(tokens, budget);
      EXPECT_EQ(together[i].ids, alone.ids) << mode;
      EXPECT_EQ(alone.ids[0], dense[i].ids[0]) << "the first is dense attention's";
      EXPECT_EQ(alone.kv_bytes * (tokens + 8), alone.kv_bytes_full * (kept + 8)) << mode;
      EXPECT_EQ(together[i].kv_bytes, alone.kv_bytes);
      if (kept == tokens) {
        EXPECT_EQ(alone.ids, dense[i].ids) << mode;
      }
      EXPECT_EQ(alone.trace.msr, 1);
      EXPECT_EQ(alone.trace.block_density, 1);
    }
  }
}

}  // namespace
}  // namespace elastic::engine
