#include "harness/run/cost.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/testing/folders.h"

namespace elastic::harness {
namespace {

constexpr const char* kLlama8B = R"({"num_hidden_layers": 32, "hidden_size": 4096,
  "intermediate_size": 14336, "vocab_size": 128256, "num_attention_heads": 32,
  "num_key_value_heads": 8, "max_position_embeddings": 131072, "torch_dtype": "bfloat16"})";

TEST(Cost, CountsParametersAndKeysOfAKnownShape) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "config.json", kLlama8B);
  const ModelShape shape = read_model_shape(folder.path());
  EXPECT_EQ(shape.head_dim, 128);
  EXPECT_TRUE(shape.half_weights);
  EXPECT_EQ(parameter_count(shape), 8030261248) << "Llama-3.1-8B";
  const Cost cost = predict_cost(shape, {.device = "cuda", .dtype = "bf16"},
                                 {.prompt_tokens = 131072, .new_tokens = 0});
  EXPECT_EQ(cost.weight_bytes, 16060522496);
  EXPECT_EQ(cost.kv_bytes, std::int64_t{16} << 30) << "128 KiB a token";
  const Cost twice = predict_cost(shape, {.device = "cuda", .dtype = "bf16"},
                                  {.prompt_tokens = 131072, .new_tokens = 0, .batch = 2});
  EXPECT_EQ(twice.kv_bytes, 2 * cost.kv_bytes);
  EXPECT_EQ(twice.weight_bytes, cost.weight_bytes);
  EXPECT_GT(twice.seconds, cost.seconds);
}

// Chunks of 32768 rows: behind a whole one, attention comes in parts that are merged.
TEST(Cost, ActivationsFollowTheChunks) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "config.json", kLlama8B);
  ModelShape shape = read_model_shape(folder.path());
  shape.intermediate = 1024;  // attention takes more than the MLP
  const auto activations = [&](const char* device, std::int64_t tokens, bool sparse) {
    return predict_cost(shape, {.device = device, .dtype = "bf16"},
                        {.prompt_tokens = tokens, .new_tokens = 0, .sparse = sparse})
        .activation_bytes;
  };
  constexpr std::int64_t kChunk = 32768,
                         kRow = std::int64_t{2} * (4096 + 128);  // a token's own bytes
  const std::int64_t merged = activations("cuda", 2 * kChunk, true);
  EXPECT_EQ(activations("cuda", 2 * kChunk, false), merged);
  EXPECT_LT(activations("cuda", 2 * kChunk - 1, false), merged - kRow) << "not merged";
  EXPECT_EQ(activations("cuda", 2 * kChunk - 1, true), merged - kRow);
  EXPECT_EQ(activations("cpu", 8192, true), activations("cpu", 8192, false));
  EXPECT_EQ(activations("cpu", 0, false), 0);
}

TEST(Cost, ConfigErrorsNameFileAndKey) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(read_model_shape(folder.path()), Error);
  for (const char* bytes : {"", "[]", "{}", R"({"num_hidden_layers": 0})",
                            R"({"num_hidden_layers": "32"})", R"({"num_hidden_layers": 1e300})"}) {
    write_file_atomic(folder / "config.json", bytes);
    try {
      read_model_shape(folder.path());
      ADD_FAILURE() << bytes;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
      EXPECT_NE(std::string(error.what()).find("config.json"), std::string::npos);
    }
  }
  for (const char* key :
       {"num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size",
        "num_attention_heads", "num_key_value_heads", "max_position_embeddings"}) {
    for (const std::int64_t value :
         {std::int64_t{0}, std::int64_t{-1}, (std::int64_t{1} << 40) + 1}) {
      Json config = parse_json(kLlama8B, "test");
      config[key] = value;
      write_file_atomic(folder / "config.json", config.dump());
      try {
        read_model_shape(folder.path());
        ADD_FAILURE() << key << " " << value;
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace elastic::harness
