// What a mode is told of its layer: activations, queries and keys before RoPE.

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "engine/attention/registry.h"
#include "engine/device/stage_clock.h"
#include "engine/model/decoder.h"
#include "tests/engine/small_config.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kTokens = 300, kChunk = 128, kLayers = 2;

// Keeps what it sees, and lets every key be seen.
class Spy final : public HeadMode {
 public:
  Spy(std::vector<AttentionInput>& seen, bool asks) : seen_(seen), asks_(asks) {}

  std::string_view name() const override { return "spy"; }
  std::string describe() const override { return "spy"; }
  ModePlaces places() const override { return {.prefill_mask = true, .plain_inputs = asks_}; }
  BlockMask block_mask(const AttentionInput& input, std::span<const int>) const override {
    seen_.push_back(input);
    return dense_mask(input.span());
  }

 private:
  std::vector<AttentionInput>& seen_;
  bool asks_;
};

std::vector<std::int32_t> spied_ids() {
  std::vector<std::int32_t> ids(kTokens);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i * 7 % 90);
  return ids;
}

std::vector<AttentionInput> seen_by_a_spy(Decoder& decoder, bool asks) {
  const c10::InferenceMode no_gradients;
  std::vector<AttentionInput> seen;
  AttentionPlan plan{.name = "spy",
                     .policy = make_uniform(true, decoder.config().heads_kv, 0),
                     .retrieval = nullptr,
                     .sparse = std::make_unique<Spy>(seen, asks)};
  Sequence sequence = decoder.start(kTokens);
  StageClock clock(decoder.device());
  decoder.prefill(sequence, spied_ids(), plan, clock);
  return seen;
}

Decoder small_decoder() {
  const ModelConfig config = elastic::testing::small_config(kLayers);
  return Decoder(random_weights(config, at::kFloat, at::kCPU, 9), kChunk);
}

TEST(LayerContext, IsWhatQueriesAndKeysWereMadeOf) {
  const c10::InferenceMode no_gradients;
  Decoder decoder = small_decoder();
  const std::vector<AttentionInput> seen = seen_by_a_spy(decoder, true);
  ASSERT_EQ(seen.size(), 2u * 3u);  // layers x chunks
  for (const AttentionInput& input : seen) {
    at::Tensor q = at::empty_like(input.q);
    decoder.rotary().rotate(input.plain_q.transpose(0, 1), input.q_start, q);
    EXPECT_TRUE(q.equal(input.q));
    const LayerWeights& w = decoder.weights().layers[static_cast<std::size_t>(input.layer)];
    const at::Tensor projected = at::linear(input.hidden, w.qkv.narrow(0, 0, 512));
    EXPECT_TRUE(projected.view({-1, 8, 64}).transpose(0, 1).allclose(input.plain_q, 1e-4, 1e-5));
    at::Tensor k = at::empty_like(input.plain_k);
    decoder.rotary().rotate(input.plain_k.transpose(0, 1), input.q_start, k);
    EXPECT_TRUE(k.equal(input.k.narrow(1, input.q_start, k.size(1))));
  }
}

// What rows of a finished prompt asked of a layer can be asked again.
TEST(LayerContext, CanBeMadeAgainFromTheActivations) {
  const c10::InferenceMode no_gradients;
  Decoder decoder = small_decoder();
  const std::vector<AttentionInput> seen = seen_by_a_spy(decoder, false);
  Sequence sequence = decoder.start(kTokens);
  StageClock clock(decoder.device());
  const AttentionPlan full = make_attention_plan(
      "fa", {.layers = kLayers, .heads_q = 8, .heads_kv = decoder.config().heads_kv});
  std::vector<at::Tensor> last;
  decoder.prefill(sequence, spied_ids(), full, clock, [&](std::int64_t, const at::Tensor& x) {
    last.push_back(x.narrow(0, kTokens - 1, 1).clone());
  });
  for (const std::size_t layer : {0u, 1u}) {
    const AttentionInput& spied = seen.at(layer * 3 + 2);  // the chunk with the last row
    const AttentionInput again = decoder.attention_input(sequence, static_cast<std::int64_t>(layer),
                                                         kTokens - 1, last[layer]);
    EXPECT_EQ(again.layer, spied.layer);
    EXPECT_TRUE(again.q.allclose(spied.q.narrow(1, spied.q.size(1) - 1, 1), 1e-4, 1e-5));
    EXPECT_TRUE(again.k.allclose(spied.k, 1e-4, 1e-5));
  }
}

TEST(LayerContext, WhatRopeWasAppliedToIsKeptForThoseWhoAsk) {
  Decoder decoder = small_decoder();
  for (const AttentionInput& input : seen_by_a_spy(decoder, false)) {
    EXPECT_FALSE(input.plain_k.defined() || input.plain_q.defined() || input.hidden.defined());
  }
}

}  // namespace
}  // namespace elastic::engine
