#include "engine/config/model_config.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

using elastic::testing::TemporaryFolder;

Json llama() {
  return Json::parse(
      R"({"architectures": ["LlamaForCausalLM"], "vocab_size": 100, "hidden_size": 64,
    "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 4,
    "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "eos_token_id": 2,
    "torch_dtype": "bfloat16"})");
}

ModelConfig read(const std::string& text, const std::string& generation = {}) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "config.json", text);
  if (!generation.empty()) write_file_atomic(folder / "generation_config.json", generation);
  return read_model_config(folder.path());
}

struct Malformed {
  const char* what;
  std::function<void(Json&)> change;
  const char* words;
};

const std::vector<Malformed>& malformed() {
  static const std::vector<Malformed> rows = {
      {"no architectures", [](Json& c) { c.erase("architectures"); }, "`architectures`"},
      {"architectures empty", [](Json& c) { c["architectures"] = Json::array(); },
       "`architectures`"},
      {"architectures text", [](Json& c) { c["architectures"] = "LlamaForCausalLM"; },
       "`architectures`"},
      {"unknown architecture", [](Json& c) { c["architectures"] = {"LamaForCausalLM"}; },
       "LlamaForCausalLM"},
      {"no vocab_size", [](Json& c) { c.erase("vocab_size"); }, "vocab_size"},
      {"zero vocab", [](Json& c) { c["vocab_size"] = 0; }, "`vocab_size` is 0"},
      {"huge vocab", [](Json& c) { c["vocab_size"] = 1LL << 60; }, "vocab_size"},
      {"hidden text", [](Json& c) { c["hidden_size"] = "64"; }, "hidden_size"},
      {"negative layers", [](Json& c) { c["num_hidden_layers"] = -1; }, "num_hidden_layers"},
      {"million layers", [](Json& c) { c["num_hidden_layers"] = 1000000; }, "num_hidden_layers"},
      {"fractional layers", [](Json& c) { c["num_hidden_layers"] = 2.5; }, "num_hidden_layers"},
      {"zero heads", [](Json& c) { c["num_attention_heads"] = 0; }, "num_attention_heads"},
      {"heads not a multiple of kv", [](Json& c) { c["num_key_value_heads"] = 3; }, "multiple"},
      {"zero kv heads", [](Json& c) { c["num_key_value_heads"] = 0; }, "num_key_value_heads"},
      {"hidden not divisible", [](Json& c) { c["hidden_size"] = 60; }, "no `head_dim`"},
      {"odd head_dim", [](Json& c) { c["head_dim"] = 7; }, "head_dim 7 is odd"},
      {"eps infinite", [](Json& c) { c["rms_norm_eps"] = 1e300 * 10; }, "rms_norm_eps"},
      {"eps negative", [](Json& c) { c["rms_norm_eps"] = -1.0; }, "rms_norm_eps"},
      {"eps text", [](Json& c) { c["rms_norm_eps"] = "NaN"; }, "rms_norm_eps"},
      {"gelu", [](Json& c) { c["hidden_act"] = "gelu"; }, "gelu"},
      {"sliding window", [](Json& c) { c["use_sliding_window"] = true; }, "sliding"},
      {"sliding layer", [](Json& c) { c["layer_types"] = {"sliding_attention"}; }, "layer_types"},
      {"quantised",
       [](Json& c) {
         c["quantization_config"] = {{"bits", 4}};
       },
       "quantization_config"},
      {"partial rotary", [](Json& c) { c["partial_rotary_factor"] = 0.5; },
       "partial_rotary_factor"},
      {"float64", [](Json& c) { c["torch_dtype"] = "float64"; }, "float64"},
      {"eos outside",
       [](Json& c) {
         c["eos_token_id"] = {2, 100};
       },
       "outside the vocabulary"},
      {"eos text", [](Json& c) { c["eos_token_id"] = "two"; }, "eos_token_id"},
      {"theta zero", [](Json& c) { c["rope_theta"] = 0; }, "rope_theta"},
      {"dynamic rope",
       [](Json& c) {
         c["rope_scaling"] = {{"type", "dynamic"}, {"factor", 2.0}};
       },
       "dynamic"},
      {"longrope",
       [](Json& c) {
         c["rope_parameters"] = {{"rope_type", "longrope"}};
       },
       "longrope"},
      {"rope without type",
       [](Json& c) {
         c["rope_scaling"] = {{"factor", 2.0}};
       },
       "rope_type"},
      {"rope is text", [](Json& c) { c["rope_scaling"] = "linear"; }, "rope_scaling"},
      {"linear without factor",
       [](Json& c) {
         c["rope_scaling"] = {{"type", "linear"}};
       },
       "factor"},
      {"llama3 without original",
       [](Json& c) {
         c["rope_scaling"] = {{"rope_type", "llama3"},
                              {"factor", 8.0},
                              {"low_freq_factor", 1.0},
                              {"high_freq_factor", 4.0}};
       },
       "original_max_position_embeddings"},
      {"llama3 with equal bounds",
       [](Json& c) {
         c["rope_scaling"] = {{"rope_type", "llama3"},
                              {"factor", 8.0},
                              {"low_freq_factor", 4.0},
                              {"high_freq_factor", 4.0},
                              {"original_max_position_embeddings", 64}};
       },
       "high_freq_factor"},
      {"yarn factor negative",
       [](Json& c) {
         c["rope_scaling"] = {{"rope_type", "yarn"}, {"factor", -4.0}};
       },
       "factor"},
      {"local window zero", [](Json& c) { c["local_window_size"] = 0; }, "local_window_size"},
      {"sink text", [](Json& c) { c["sink_size"] = "all"; }, "sink_size"},
  };
  return rows;
}

void expect_error(const std::string& text, const char* words) {
  try {
    read(text);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("config.json"), std::string::npos) << message;
    EXPECT_NE(message.find(words), std::string::npos) << message;
  }
}

TEST(ModelConfig, MalformedConfigsAreNamedErrors) {
  for (const Malformed& row : malformed()) {
    SCOPED_TRACE(row.what);
    Json config = llama();
    row.change(config);
    std::string text = config.dump();
    expect_error(text, row.words);
  }
  expect_error("{", "config.json");
  expect_error("[]", "not a JSON object");
  EXPECT_THROW(read_model_config("/no/such/folder"), Error);
}

TEST(ModelConfig, TheFirstArchitectureCounts) {
  Json config = llama();
  config["architectures"] = {"LlamaForCausalLM", 7};
  EXPECT_EQ(read(config.dump()).architecture, "LlamaForCausalLM");
  config["architectures"] = {"UnknownForCausalLM", "LlamaForCausalLM"};
  EXPECT_THROW(read(config.dump()), Error);
}

TEST(ModelConfig, BoundsAreTheLastThatPass) {
  const std::int64_t most = 1 << 24;
  const std::vector<std::pair<const char*, std::pair<std::int64_t, std::int64_t>>> bounds = {
      // token 2 ends
      {"num_hidden_layers", {1, 4096}}, {"vocab_size", {3, most}},
      {"intermediate_size", {1, most}}, {"max_position_embeddings", {1, most}},
      {"sink_size", {0, most}},         {"local_window_size", {1, most}}};
  for (const auto& [key, ends] : bounds) {
    for (const std::int64_t value : {ends.first, ends.second}) {
      Json config = llama();
      config[key] = value;
      EXPECT_NO_THROW(read(config.dump())) << key << " " << value;
    }
    for (const std::int64_t value : {ends.first - 1, ends.second + 1}) {
      Json config = llama();
      config[key] = value;
      EXPECT_THROW(read(config.dump()), Error) << key << " " << value;
    }
  }
}

TEST(ModelConfig, LlamaDefaults) {
  const ModelConfig config = read(llama().dump());
  EXPECT_EQ(config.family, "llama");
  EXPECT_FALSE(config.routed_architecture);
  EXPECT_EQ(config.head_dim, 8);  // hidden / heads where the key is absent
  EXPECT_FALSE(config.tied);
  EXPECT_FALSE(config.qk_norm);
  EXPECT_EQ(config.dtype, "bf16");
  EXPECT_EQ(config.eos_ids, std::vector<std::int32_t>{2});
  EXPECT_FALSE(config.routing.sink_size.has_value());
}

TEST(ModelConfig, KvHeadsDefaultToHeads) {
  Json json = llama();
  json.erase("num_key_value_heads");
  EXPECT_EQ(read(json.dump()).heads_kv, 8);
}

TEST(ModelConfig, GenerationConfigOverridesEos) {
  EXPECT_EQ(read(llama().dump(), R"({"eos_token_id": [5, 6]})").eos_ids,
            (std::vector<std::int32_t>{5, 6}));
  EXPECT_EQ(read(llama().dump(), R"({"temperature": 1})").eos_ids, std::vector<std::int32_t>{2});
  EXPECT_THROW(read(llama().dump(), R"({"eos_token_id": 100})"), Error);
  EXPECT_THROW(read(llama().dump(), "[1]"), Error);
}

TEST(ModelConfig, RoutedKeys) {
  Json json = llama();
  json["architectures"] = {"PawLlamaForCausalLM"};
  json["sink_size"] = 64;
  json["local_window_size"] = 512;
  json["pooling_mode"] = "ctx_q";
  json["use_softmax"] = true;
  const ModelConfig config = read(json.dump());
  EXPECT_TRUE(config.routed_architecture);
  EXPECT_EQ(config.routing.sink_size, 64);
  EXPECT_EQ(config.routing.local_window_size, 512);
  EXPECT_EQ(config.routing.pooling_mode, "ctx_q");
  EXPECT_FALSE(config.routing.enable_ada_sparsity.has_value());
}

TEST(ModelConfig, BothRopeStylesAgree) {
  const Json scaling = {
      {"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 64}};
  Json old_style = llama();
  old_style["rope_theta"] = 5e4;
  old_style["rope_scaling"] = scaling;
  Json new_style = llama();
  new_style.erase("rope_theta");
  new_style["rope_parameters"] = scaling;
  new_style["rope_parameters"]["rope_theta"] = 5e4;
  for (const Json& json : {old_style, new_style}) {
    const RopeConfig rope = read(json.dump()).rope;
    EXPECT_EQ(rope.type, RopeType::kYarn);
    EXPECT_EQ(rope.theta, 5e4);
    EXPECT_EQ(rope.original_max_positions, 64);
    EXPECT_TRUE(rope.truncate);
    EXPECT_NEAR(rope.attention_factor, 0.1 * std::log(4.0) + 1, 1e-12);
  }
}

// Both magnitudes given: the quotient, as DeepSeek's checkpoints have it.
TEST(ModelConfig, YarnMagnitudesAreAQuotient) {
  Json json = llama();
  json["rope_scaling"] = {{"rope_type", "yarn"},
                          {"factor", 40.0},
                          {"original_max_position_embeddings", 64},
                          {"mscale", 0.5},
                          {"mscale_all_dim", 1.0}};
  const RopeConfig rope = read(json.dump()).rope;
  EXPECT_NEAR(rope.attention_factor, (0.05 * std::log(40.0) + 1) / (0.1 * std::log(40.0) + 1),
              1e-12);
  EXPECT_EQ(rope.beta_fast, 32);
  EXPECT_EQ(rope.beta_slow, 1);
}

TEST(ModelConfig, Qwen3HasItsOwnHeadDim) {
  Json json = llama();
  json["architectures"] = {"Qwen3ForCausalLM"};
  json["tie_word_embeddings"] = true;
  const ModelConfig config = read(json.dump());
  EXPECT_TRUE(config.qk_norm);
  EXPECT_TRUE(config.tied);
  EXPECT_EQ(config.head_dim, 128);
  json["head_dim"] = 16;
  EXPECT_EQ(read(json.dump()).head_dim, 16);
}

}  // namespace
}  // namespace elastic::engine
