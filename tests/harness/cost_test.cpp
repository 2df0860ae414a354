#include "harness/run/cost.h"

#include <gtest/gtest.h>

#include "engine/config/shapes.h"
#include "engine/config/weight_specs.h"

namespace elastic::harness {
namespace {

// Llama-3.1-8B.
const engine::ModelConfig kLlama8B = engine::shape_config("llama-3.1-8b");

TEST(Cost, CountsParametersAndKeysOfAKnownShape) {
  EXPECT_EQ(engine::parameter_count(kLlama8B), 8030261248);
  const Cost cost = predict_cost(kLlama8B, {.device = "cuda", .dtype = "bf16"},
                                 {.prompt_tokens = 131072, .new_tokens = 0});
  EXPECT_EQ(cost.memory.weights, 16060522496);
  EXPECT_EQ(cost.memory.kv, std::int64_t{16} << 30) << "128 KiB a token";
  const Cost twice = predict_cost(kLlama8B, {.device = "cuda", .dtype = "bf16"},
                                  {.prompt_tokens = 131072, .new_tokens = 0, .batch = 2});
  EXPECT_EQ(twice.memory.kv, 2 * cost.memory.kv);
  EXPECT_EQ(twice.memory.weights, cost.memory.weights);
  EXPECT_EQ(twice.memory.activations, cost.memory.activations) << "prefill is one by one";
  EXPECT_DOUBLE_EQ(twice.seconds, 2 * cost.seconds);
}

// A prompt token costs two operations a weight of the layers and attention over half of all pairs;
// an answer token reads weights and cache once.
TEST(Cost, SecondsAreOperationsAndBytesOverRates) {
  const auto seconds = [](const CostMachine& machine, const CostRequest& request) {
    return predict_cost(kLlama8B, machine, request).seconds;
  };
  const double layer = 4096. * (2 * 4096 + 2 * 1024) + 3. * 4096 * 14336 + 2. * 4096;
  const double flops = 1000. * 2 * 32 * layer + 2. * 1000 * 1000 * 32 * 4096;
  EXPECT_DOUBLE_EQ(seconds({.device = "cuda", .dtype = "bf16"}, {.prompt_tokens = 1000}),
                   flops / 350e12);
  EXPECT_DOUBLE_EQ(seconds({.threads = 2}, {.prompt_tokens = 1000}), flops / 60e9);
  EXPECT_DOUBLE_EQ(seconds({.threads = 0}, {.prompt_tokens = 1000}), flops / 30e9);
  const double bytes = 16060522496. + 64 * 131072.;
  EXPECT_DOUBLE_EQ(seconds({.device = "cuda", .dtype = "bf16"}, {.new_tokens = 7}),
                   7 * bytes / 2.5e12);
  EXPECT_DOUBLE_EQ(seconds({.device = "cpu", .dtype = "fp32"}, {.new_tokens = 7}),
                   7 * 2 * bytes / 10e9);
}

// A chunk's rows, of which a GPU takes 8192, on top of a token's own bytes.
TEST(Cost, ActivationsFollowTheChunks) {
  engine::ModelConfig config = kLlama8B;
  config.intermediate = 1024;  // attention takes more than the MLP
  const auto activations = [&](const char* device, std::int64_t tokens) {
    return predict_cost(config, {.device = device, .dtype = "bf16"},
                        {.prompt_tokens = tokens, .new_tokens = 0})
        .memory.activations;
  };
  constexpr std::int64_t kToken = std::int64_t{2} * (4096 + 128);
  constexpr std::int64_t kRow = std::int64_t{2} * (4096 + 2 * 4096 + 2 * 1024);  // of a chunk
  EXPECT_EQ(activations("cpu", 0), 0);
  EXPECT_EQ(activations("cpu", 100), 100 * (kToken + kRow));
  EXPECT_EQ(activations("cuda", 100), 100 * (kToken + kRow) + (32 << 20));
  EXPECT_EQ(activations("cuda", 100000), 100000 * kToken + 8192 * kRow + (32 << 20));
}

}  // namespace
}  // namespace elastic::harness
