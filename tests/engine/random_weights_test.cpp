// Shapes known by name, and weights drawn for them.

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "engine/api/make_generator.h"
#include "engine/config/shapes.h"
#include "engine/model/weights.h"

namespace elastic::engine {
namespace {

std::string words_of(const ModelConfig& c) {
  std::string text = c.architecture + " | " + c.family + " " + c.dtype;
  for (const std::int64_t n : {c.vocab, c.hidden, c.intermediate, c.layers, c.heads_q, c.heads_kv,
                               c.head_dim, c.max_positions}) {
    text += " " + std::to_string(n);
  }
  text += " theta " + std::to_string(static_cast<std::int64_t>(c.rope.theta));
  text += " x" + std::to_string(static_cast<std::int64_t>(c.rope.factor)) + " of " +
          std::to_string(c.rope.original_max_positions);
  if (c.rope.type == RopeType::kLlama3) text += " llama3";
  if (c.tied) text += " tied";
  if (c.qk_norm) text += " qk_norm";
  return text;
}

TEST(RandomWeights, ShapesAreThoseOfTheirModels) {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"llama-3.1-8b",
       " | llama bf16 128256 4096 14336 32 32 8 128 131072 theta 500000 x8 of 8192 llama3"},
      {"qwen3-4b",
       " | qwen3 bf16 151936 2560 9728 36 32 8 128 40960 theta 1000000 x1 of 0 tied qk_norm"},
      {"qwen3-8b",
       " | qwen3 bf16 151936 4096 12288 36 32 8 128 40960 theta 1000000 x1 of 0 qk_norm"},
      {"tiny-4x8x64", " | llama bf16 512 512 1408 4 8 8 64 131072 theta 10000 x1 of 0"}};
  for (const auto& [name, wanted] : rows) {
    EXPECT_EQ(words_of(shape_config(name)), "random weights, shape " + std::string(name) + wanted);
  }
  EXPECT_THROW(shape_config("tiny"), Error);
}

ModelConfig small(bool qwen3) {
  ModelConfig config = shape_config(qwen3 ? "qwen3-8b" : "tiny-4x8x64");
  config.vocab = 300, config.hidden = 24, config.intermediate = 56, config.layers = 2;
  config.heads_q = 6, config.heads_kv = 2, config.head_dim = 10;
  config.tied = !qwen3;
  return config;
}

using Sizes = std::vector<std::int64_t>;

// Every tensor of the shape its place asks for: norms of ones, the others normal.
void expect_weights(const DecoderWeights& w, const ModelConfig& c, at::ScalarType type) {
  std::int64_t parameters = 0;
  const auto expect = [&](const char* name, const at::Tensor& tensor, const Sizes& sizes) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(tensor.defined());
    EXPECT_EQ(tensor.sizes(), sizes);
    EXPECT_EQ(tensor.scalar_type(), type);
    parameters += tensor.numel();
    const at::Tensor wide = tensor.to(at::kDouble);
    if (std::string(name).ends_with("norm")) {
      EXPECT_TRUE(wide.eq(1).all().item<bool>());
    } else {
      const double slack = 5 / std::sqrt(2. * static_cast<double>(tensor.numel()));
      EXPECT_NEAR(wide.pow(2).mean().sqrt().item<double>() / 0.02, 1, slack);
    }
  };
  expect("embedding", w.embedding, {c.vocab, c.hidden});
  expect("final_norm", w.final_norm, {c.hidden});
  EXPECT_EQ(w.lm_head.is_same(w.embedding), c.tied);
  if (!c.tied) expect("lm_head", w.lm_head, {c.vocab, c.hidden});
  ASSERT_EQ(static_cast<std::int64_t>(w.layers.size()), c.layers);
  ASSERT_EQ(static_cast<std::int64_t>(w.routers.size()), c.layers);
  for (const LayerWeights& layer : w.layers) {
    expect("input_norm", layer.input_norm, {c.hidden});
    expect("post_norm", layer.post_norm, {c.hidden});
    expect("qkv", layer.qkv, {(c.heads_q + 2 * c.heads_kv) * c.head_dim, c.hidden});
    expect("o", layer.o, {c.hidden, c.heads_q * c.head_dim});
    expect("gate_up", layer.gate_up, {2 * c.intermediate, c.hidden});
    expect("down", layer.down, {c.hidden, c.intermediate});
    EXPECT_EQ(layer.q_norm.defined(), c.qk_norm);
    if (!c.qk_norm) continue;
    expect("q_norm", layer.q_norm, {c.head_dim});
    expect("k_norm", layer.k_norm, {c.head_dim});
  }
  for (const RouterWeights& router : w.routers) {
    const std::int64_t d = c.head_dim;
    expect("task_up", router.task_up, {4 * d, d});
    expect("task_up_bias", router.task_up_bias, {4 * d});
    expect("task_down", router.task_down, {d, 4 * d});
    expect("task_down_bias", router.task_down_bias, {d});
    expect("head_up", router.head_up, {4 * d, d});
    expect("head_up_bias", router.head_up_bias, {4 * d});
    expect("head_down", router.head_down, {d, 4 * d});
    expect("head_down_bias", router.head_down_bias, {d});
    expect("logits", router.logits, {2, d});
    EXPECT_EQ(router.logits_bias.sizes(), Sizes{2});
    EXPECT_LT(router.logits_bias.to(at::kFloat).abs().max().item<float>(), 0.1f);
    EXPECT_NE(router.logits_bias.to(at::kFloat).abs().min().item<float>(), 0);
    parameters += 2;
  }
  EXPECT_EQ(w.parameters, parameters);
  EXPECT_EQ(words_of(w.config), words_of(c));
}

TEST(RandomWeights, FillEveryTensorOfTheShape) {
  for (const bool qwen3 : {false, true}) {
    const ModelConfig config = small(qwen3);
    expect_weights(random_weights(config, at::kFloat, at::kCPU, 3), config, at::kFloat);
    expect_weights(random_weights(config, at::kBFloat16, at::kCPU, 3), config, at::kBFloat16);
  }
}

TEST(RandomWeights, AreAFunctionOfTheirSeed) {
  const ModelConfig config = small(true);
  const DecoderWeights a = random_weights(config, at::kFloat, at::kCPU, 3),
                       b = random_weights(config, at::kFloat, at::kCPU, 3),
                       c = random_weights(config, at::kFloat, at::kCPU, 4);
  EXPECT_TRUE(a.embedding.equal(b.embedding));
  EXPECT_TRUE(a.layers[1].down.equal(b.layers[1].down));
  EXPECT_FALSE(a.embedding.equal(c.embedding));
  EXPECT_FALSE(a.layers[0].qkv.equal(a.layers[1].qkv));
  EXPECT_FALSE(a.routers[0].task_up.equal(a.routers[1].task_up));
}

TEST(RandomWeights, AGeneratorOfThemSaysSo) {
  GeneratorOptions options;
  options.random_shape = "tiny-4x8x64";
  options.device = "cpu";
  const auto generator = make_generator(options);
  EXPECT_EQ(generator->model().name, "tiny-4x8x64 (random weights)");
  EXPECT_EQ(generator->dtype(), "fp32") << "auto on the CPU, whatever the shape names";
  EXPECT_EQ(generator->device(), "cpu");
  EXPECT_FALSE(generator->model().has_tokenizer);
}

}  // namespace
}  // namespace elastic::engine
