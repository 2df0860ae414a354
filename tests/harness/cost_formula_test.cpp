// Costs of a small shape, worked out by hand and from their formulas.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "engine/config/prefill_memory.h"
#include "harness/run/cost.h"
#include "tests/testing/folders.h"

namespace elastic::harness {
namespace {

// q 8 and kv 4 wide: a layer has 8 * (16 + 8) + 3 * 8 * 20 + 16 = 688 parameters.
ModelShape small_shape(bool tied = false) {
  return {.name = "small",
          .layers = 3,
          .hidden = 8,
          .intermediate = 20,
          .vocab = 50,
          .heads_q = 4,
          .heads_kv = 2,
          .head_dim = 2,
          .max_positions = 1000,
          .tied = tied};
}

TEST(CostFormula, ParametersByHand) {
  EXPECT_EQ(parameter_count(small_shape(true)), 50 * 8 + 3 * 688 + 8);
  EXPECT_EQ(parameter_count(small_shape(false)), 2 * 50 * 8 + 3 * 688 + 8);
}

// The cache grows by 64 tokens: keys and values of 3 layers, 2 heads, 2 numbers of 4 or 2 bytes.
TEST(CostFormula, CachesGrowByWholeRows) {
  const auto kv = [](std::int64_t prompt, std::int64_t answer, std::int64_t batch,
                     const char* dtype = "fp32") {
    return predict_cost(small_shape(), {.dtype = dtype},
                        {.prompt_tokens = prompt, .new_tokens = answer, .batch = batch})
        .kv_bytes;
  };
  EXPECT_EQ(kv(0, 0, 1), 0);
  EXPECT_EQ(kv(1, 0, 1), 64 * 2 * 3 * 2 * 2 * 4);
  EXPECT_EQ(kv(60, 4, 1), 64 * 2 * 3 * 2 * 2 * 4);
  EXPECT_EQ(kv(60, 5, 1), 128 * 2 * 3 * 2 * 2 * 4);
  EXPECT_EQ(kv(60, 5, 3), 3 * 128 * 2 * 3 * 2 * 2 * 4);
  EXPECT_EQ(kv(60, 5, 3, "bf16"), 3 * 128 * 2 * 3 * 2 * 2 * 2);
}

TEST(CostFormula, MemoryOfEveryMachineAndPrompt) {
  const ModelShape s = small_shape();
  for (const char* device : {"cpu", "cuda"}) {
    for (const char* dtype : {"fp32", "bf16"}) {
      for (const std::int64_t prompt : {1, 100, 32768, 65535, 65536, 65537}) {
        for (const bool sparse : {false, true}) {
          SCOPED_TRACE(std::string(device) + " " + dtype + " " + std::to_string(prompt));
          const bool gpu = device == std::string("cuda");
          const std::int64_t item = dtype == std::string("bf16") ? 2 : 4, answer = 7;
          const engine::PrefillShape shape{8, 20, 8, item, !gpu};
          const std::int64_t chunk = engine::prefill_chunk_rows(shape);
          const std::int64_t expected =
              item * (prompt * 8 + (prompt + answer) * 2) +
              engine::prefill_chunk_bytes(shape, std::min(chunk, prompt),
                                          gpu && (sparse || prompt >= 2 * chunk)) +
              (gpu ? 32 * 1024 * 1024 : 0);
          const Cost cost =
              predict_cost(s, {.device = device, .dtype = dtype},
                           {.prompt_tokens = prompt, .new_tokens = answer, .sparse = sparse});
          EXPECT_EQ(cost.activation_bytes, expected);
          EXPECT_EQ(cost.weight_bytes, parameter_count(s) * item);
          EXPECT_EQ(cost.peak_bytes(), cost.weight_bytes + cost.kv_bytes + cost.activation_bytes);
        }
      }
    }
  }
}

// Products of 2 numbers a parameter and token, causal attention of 2 n^2 a head's width, then the
// weights and the cache read once a token.
TEST(CostFormula, SecondsOfEveryMachine) {
  const ModelShape s = small_shape();
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
      const double decode = 20.0 * static_cast<double>(cost.weight_bytes + cost.kv_bytes);
      const double expected = static_cast<double>(batch) * prefill / flops + decode / bytes;
      EXPECT_NEAR(cost.seconds, expected, 1e-9 * expected)
          << machine.device << " " << machine.threads;
    }
  }
}

ModelShape read_shape(const std::string& fields) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "config.json",
                    R"({"num_hidden_layers": 3, "hidden_size": 8, "intermediate_size": 20,
                        "vocab_size": 50, "num_attention_heads": 4,
                        "max_position_embeddings": 1000)" +
                        fields + "}");
  return read_model_shape(folder.path());
}

TEST(CostFormula, ShapesHaveDefaults) {
  const ModelShape s = read_shape("");
  EXPECT_EQ(s.layers, 3);
  EXPECT_EQ(s.hidden, 8);
  EXPECT_EQ(s.intermediate, 20);
  EXPECT_EQ(s.vocab, 50);
  EXPECT_EQ(s.heads_q, 4);
  EXPECT_EQ(s.heads_kv, 4) << "as many as query heads";
  EXPECT_EQ(s.head_dim, 2) << "8 / 4";
  EXPECT_EQ(s.max_positions, 1000);
  EXPECT_FALSE(s.tied);
  EXPECT_FALSE(s.half_weights) << "fp32 where nothing is said";
  EXPECT_FALSE(s.name.empty());
  EXPECT_TRUE(read_shape(R"(, "tie_word_embeddings": true)").tied);
  EXPECT_EQ(read_shape(R"(, "head_dim": 16)").head_dim, 16);
  EXPECT_EQ(read_shape(R"(, "num_key_value_heads": 1)").heads_kv, 1);
  EXPECT_TRUE(read_shape(R"(, "torch_dtype": "float16")").half_weights);
  EXPECT_TRUE(read_shape(R"(, "dtype": "bfloat16")").half_weights);
  EXPECT_FALSE(read_shape(R"(, "torch_dtype": "float32", "dtype": "bfloat16")").half_weights);
}

TEST(CostFormula, SizesAreBelievedUpToTheirEnd) {
  EXPECT_EQ(read_shape(R"(, "head_dim": 1)").head_dim, 1);
  EXPECT_EQ(read_shape(R"(, "head_dim": 1099511627776)").head_dim, std::int64_t{1} << 40);
  EXPECT_THROW(read_shape(R"(, "head_dim": 1099511627777)"), Error);
  EXPECT_THROW(read_shape(R"(, "head_dim": 0)"), Error);
}

}  // namespace
}  // namespace elastic::harness
