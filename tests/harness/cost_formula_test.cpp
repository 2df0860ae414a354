// Costs of a small shape, worked out by hand and from their formulas.

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/config/memory_estimate.h"
#include "engine/config/weight_specs.h"
#include "harness/run/cost.h"

namespace elastic::harness {
namespace {

// q 8 and kv 4 wide: a layer has 8 * (16 + 8) + 3 * 8 * 20 + 16 = 688 parameters.
engine::ModelConfig small_shape(bool tied = false) {
  engine::ModelConfig config;
  config.vocab = 50, config.hidden = 8, config.intermediate = 20, config.layers = 3;
  config.heads_q = 4, config.heads_kv = 2, config.head_dim = 2, config.max_positions = 1000;
  config.tied = tied;
  return config;
}

TEST(CostFormula, ParametersByHand) {
  EXPECT_EQ(engine::parameter_count(small_shape(true)), 50 * 8 + 3 * 688 + 8);
  EXPECT_EQ(engine::parameter_count(small_shape(false)), 2 * 50 * 8 + 3 * 688 + 8);
}

// The cache grows by 64 tokens: keys and values of 3 layers, 2 heads, 2 numbers of 4 or 2 bytes.
TEST(CostFormula, CachesGrowByWholeRows) {
  const auto kv = [](std::int64_t prompt, std::int64_t answer, std::int64_t batch,
                     const char* dtype = "fp32") {
    return predict_cost(small_shape(), {.dtype = dtype},
                        {.prompt_tokens = prompt, .new_tokens = answer, .batch = batch})
        .memory.kv;
  };
  EXPECT_EQ(kv(0, 0, 1), 0);
  EXPECT_EQ(kv(1, 0, 1), 64 * 2 * 3 * 2 * 2 * 4);
  EXPECT_EQ(kv(60, 4, 1), 64 * 2 * 3 * 2 * 2 * 4);
  EXPECT_EQ(kv(60, 5, 1), 128 * 2 * 3 * 2 * 2 * 4);
  EXPECT_EQ(kv(60, 5, 3), 3 * 128 * 2 * 3 * 2 * 2 * 4);
  EXPECT_EQ(kv(60, 5, 3, "bf16"), 3 * 128 * 2 * 3 * 2 * 2 * 2);
}

TEST(CostFormula, MemoryOfEveryMachineAndPrompt) {
  const engine::ModelConfig s = small_shape();
  for (const char* device : {"cpu", "cuda"}) {
    for (const char* dtype : {"fp32", "bf16"}) {
      for (const std::int64_t prompt : {1, 100, 32768, 65535, 65536, 65537}) {
        SCOPED_TRACE(std::string(device) + " " + dtype + " " + std::to_string(prompt));
        const bool gpu = device == std::string("cuda");
        const std::int64_t item = dtype == std::string("bf16") ? 2 : 4, answer = 7;
        const engine::PrefillShape shape{8, 20, 8, 4, item, !gpu};
        const std::int64_t chunk = engine::prefill_chunk_rows(shape);
        const std::int64_t prefill = item * (prompt * 8 + (prompt + answer) * 2) +
                                     engine::prefill_chunk_bytes(shape, std::min(chunk, prompt));
        constexpr std::int64_t kWorkspace = std::int64_t{32} << 20;  // and one of the recorded step
        const std::int64_t expected = gpu ? kWorkspace + std::max(prefill, kWorkspace) : prefill;
        const Cost cost = predict_cost(s, {.device = device, .dtype = dtype},
                                       {.prompt_tokens = prompt, .new_tokens = answer});
        EXPECT_EQ(cost.memory.activations, expected);
        EXPECT_EQ(cost.memory.weights, engine::parameter_count(s) * item);
        EXPECT_EQ(cost.memory.peak(),
                  cost.memory.weights + cost.memory.kv + cost.memory.activations);
      }
    }
  }
}

// A mode that sees whole prompts: attention over all rows, and its choice among 128-token blocks,
// by scores of the last block or by pairs.
TEST(CostFormula, MemoryOfWholePrompts) {
  engine::ModelConfig s = small_shape();
  const auto activations = [&](std::int64_t prompt, bool whole) {
    return predict_cost(s, {}, {.prompt_tokens = prompt, .whole_prompt = whole}).memory.activations;
  };
  const std::int64_t heads = s.heads_q, group = s.heads_q / s.heads_kv, hidden = s.hidden,
                     dim = s.head_dim;
  const auto expected = [&](std::int64_t prompt) {
    const std::int64_t blocks = (prompt + 127) / 128;
    return 4 * prompt * (hidden + dim) + 4 * prompt * 2 * heads * dim + 4 * prompt * 2 * heads +
           std::max(4 * prompt * (dim + 2 * group * 128), heads * blocks * blocks * 48);
  };
  EXPECT_EQ(activations(1000, true), expected(1000));
  EXPECT_EQ(activations(600001, true), expected(600001)) << "by pairs";
  EXPECT_GT(activations(100000, true), activations(100000, false));
}

// Products of 2 numbers a parameter and token, causal attention of 2 n^2 a head's width, then the
// weights and the cache read once a token.
TEST(CostFormula, SecondsOfEveryMachine) {
  const engine::ModelConfig s = small_shape();
  const struct {
    CostMachine machine;
    double flops, bytes;
  } machines[] = {{{.device = "cpu", .threads = 1}, 30e9, 10e9},
                  {{.device = "cpu", .threads = 4}, 120e9, 10e9},
                  {{.device = "cpu", .threads = 0}, 30e9, 10e9},
                  {{.device = "cuda", .threads = 4}, 350e12, 2.5e12}};
  for (const auto& [machine, flops, bytes] : machines) {
    for (const std::int64_t batch : {1, 3}) {
      const CostRequest request{.prompt_tokens = 500, .new_tokens = 20, .batch = batch};
      const Cost cost = predict_cost(s, machine, request);
      const double prefill = 500.0 * 2 * 3 * 688 + 2.0 * 500 * 500 * 3 * 8;
      const double decode = 20.0 * static_cast<double>(cost.memory.weights + cost.memory.kv);
      const double expected = static_cast<double>(batch) * prefill / flops + decode / bytes;
      EXPECT_NEAR(cost.seconds, expected, 1e-9 * expected)
          << machine.device << " " << machine.threads;
    }
  }
}

}  // namespace
}  // namespace elastic::harness
