// Every value of a model's configuration, exactly: what is read, what stands where a key is absent
// or null, and what is said of a value that cannot be.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "engine/config/memory_estimate.h"
#include "engine/config/model_config.h"
#include "engine/config/registry.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

// A llama of the fewest keys; `changes` are merged into it, null values and all.
Json config_with(const Json& changes) {
  Json json = {{"architectures", {"LlamaForCausalLM"}},
               {"vocab_size", 100},
               {"hidden_size", 64},
               {"intermediate_size", 128},
               {"num_hidden_layers", 2},
               {"num_attention_heads", 8},
               {"max_position_embeddings", 256}};
  for (const auto& [key, value] : changes.items()) json[key] = value;
  return json;
}

template <typename T>
std::string shown(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : "-";
}

std::string shown(const RopeConfig& r) {
  const char* types[] = {"default", "linear", "llama3", "yarn"};
  return fmt::format(
      "{} theta {} factor {} low {} high {} original {} fast {} slow {} {} scale {:.6f}",
      types[static_cast<std::size_t>(r.type)], r.theta, r.factor, r.low_freq_factor,
      r.high_freq_factor, r.original_max_positions, r.beta_fast, r.beta_slow,
      r.truncate ? "truncated" : "whole", r.attention_factor);
}

std::string shown(const RoutingConfig& r) {
  return fmt::format("{} {} {} {} {} {} {} {}", shown(r.toggle_type), shown(r.retrieval_mode),
                     shown(r.sink_size), shown(r.local_window_size), shown(r.pooling_mode),
                     shown(r.pooling_rows), shown(r.use_softmax), shown(r.enable_ada_sparsity));
}

std::string shown(const ModelConfig& c) {
  std::string eos;
  for (const std::int32_t id : c.eos_ids) eos += " " + std::to_string(id);
  return fmt::format("{} {} {}| {} {} {} {} | {} {} {} | {} {} | {} {} {} {} | {} |{}",
                     c.architecture, c.family, c.routed_architecture ? "routed " : "", c.vocab,
                     c.hidden, c.intermediate, c.layers, c.heads_q, c.heads_kv, c.head_dim,
                     c.max_positions, c.rms_eps, c.qkv_bias && c.o_bias, c.mlp_bias, c.tied,
                     c.qk_norm, c.dtype, eos);
}

ModelConfig read(const Json& changes) {
  return parse_model_config({config_with(changes), "config.json"});
}

std::string refusal(const Json& changes) {
  try {
    read(changes);
  } catch (const Error& error) {
    return std::string(to_string(error.kind())) + ": " + error.what();
  }
  return "no error";
}

TEST(ConfigValues, EveryKeyAndItsAbsence) {
  const ModelConfig least = read(Json::object());
  EXPECT_EQ(shown(least),
            "LlamaForCausalLM llama | 100 64 128 2 | 8 8 8 | 256 1e-06 | false false false false | "
            " |");
  EXPECT_EQ(shown(least.routing), "- - - - - - - -");
  const Json nothing = {{"num_key_value_heads", nullptr},
                        {"head_dim", nullptr},
                        {"rms_norm_eps", nullptr},
                        {"attention_bias", nullptr},
                        {"mlp_bias", nullptr},
                        {"torch_dtype", nullptr},
                        {"eos_token_id", nullptr},
                        {"rope_scaling", nullptr},
                        {"rope_parameters", nullptr},
                        {"sink_size", nullptr},
                        {"quantization_config", nullptr},
                        {"layer_types", nullptr},
                        {"hidden_act", nullptr},
                        {"use_sliding_window", nullptr},
                        {"rope_theta", nullptr},
                        {"partial_rotary_factor", nullptr}};
  const ModelConfig null = read(nothing);
  EXPECT_EQ(shown(null), shown(least));
  EXPECT_EQ(shown(null.rope), shown(least.rope));
  EXPECT_EQ(shown(null.routing), shown(least.routing));
  const Json all = {{"architectures", {"PawLlamaForCausalLM"}},
                    {"vocab_size", 101},
                    {"hidden_size", 72},
                    {"intermediate_size", 129},
                    {"num_hidden_layers", 3},
                    {"num_attention_heads", 6},
                    {"num_key_value_heads", 3},
                    {"head_dim", 10},
                    {"max_position_embeddings", 257},
                    {"rms_norm_eps", 1e-5},
                    {"attention_bias", true},
                    {"mlp_bias", true},
                    {"tie_word_embeddings", true},
                    {"dtype", "float16"},
                    {"torch_dtype", "bfloat16"},
                    {"eos_token_id", {0, 100}},
                    {"hidden_act", "silu"},
                    {"use_sliding_window", false},
                    {"layer_types", {"full_attention", "full_attention"}},
                    {"partial_rotary_factor", 1.0},
                    {"toggle_type", "hard"},
                    {"retrieval_mode", "full"},
                    {"sink_size", 4},
                    {"local_window_size", 5},
                    {"pooling_mode", "mean"},
                    {"pooling_rows", 6},
                    {"use_softmax", true},
                    {"enable_ada_sparsity", false}};
  const ModelConfig full = read(all);
  EXPECT_EQ(shown(full),
            "PawLlamaForCausalLM llama routed | 101 72 129 3 | 6 3 10 | 257 1e-05 | true true true "
            "false | fp16 | 0 100");
  EXPECT_EQ(shown(full.routing), "hard full 4 5 mean 6 true false");
}

TEST(ConfigValues, EveryFamily) {
  std::string all;
  for (const std::string& architecture : architectures()) {
    const ModelConfig config = read({{"architectures", {architecture}}, {"attention_bias", true}});
    all += fmt::format("{} {} {} {} {} {} {} {}\n", config.architecture, config.family,
                       config.routed_architecture, config.head_dim, config.tied, config.qk_norm,
                       config.qkv_bias, config.o_bias);
  }
  EXPECT_EQ(all,
            "LlamaForCausalLM llama false 8 false false true true\n"
            "PawLlamaForCausalLM llama true 8 false false true true\n"
            "MistralForCausalLM mistral false 8 false false false false\n"
            "Qwen2ForCausalLM qwen2 false 8 false false true false\n"
            "Qwen3ForCausalLM qwen3 false 128 false true true true\n"
            "PawQwen3ForCausalLM qwen3 true 128 false true true true\n");
  const auto qwen = [](const Json& head_dim) {
    return read({{"architectures", {"Qwen3ForCausalLM"}}, {"head_dim", head_dim}}).head_dim;
  };
  EXPECT_EQ(qwen(nullptr), 128);
  EXPECT_EQ(qwen(32), 32);
  EXPECT_EQ(refusal({{"architectures", {"Qwen9ForCausalLM"}}}),
            "unsupported: config.json: unknown architecture `Qwen9ForCausalLM`; did you mean "
            "`Qwen2ForCausalLM`? known: LlamaForCausalLM, "
            "PawLlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, "
            "PawQwen3ForCausalLM");
  EXPECT_FALSE(read({{"architectures", {"Qwen2ForCausalLM"}}, {"mlp_bias", true}}).mlp_bias);
}

// A window that hides no position of the model is none; the first Mistral's hides most.
TEST(ConfigValues, SlidingWindowsOfMistral) {
  const auto with = [](const Json& window) -> Json {
    return {{"architectures", {"MistralForCausalLM"}}, {"sliding_window", window}};
  };
  const std::int64_t positions = read(with(nullptr)).max_positions;
  EXPECT_EQ(read(with(positions)).max_positions, positions);
  EXPECT_EQ(refusal(with(positions - 1)),
            fmt::format("unsupported: config.json: `sliding_window` is {} of {} positions: "
                        "sliding-window layers are not supported",
                        positions - 1, positions));
}

TEST(ConfigValues, WeightsAreOfThreeTypes) {
  const std::pair<const char*, const char*> types[] = {
      {"float32", "fp32"}, {"bfloat16", "bf16"}, {"float16", "fp16"}};
  for (const auto& [name, expected] : types) {
    EXPECT_EQ(read({{"torch_dtype", name}}).dtype, expected);
    EXPECT_EQ(read({{"dtype", name}}).dtype, expected);
  }
  EXPECT_EQ(refusal({{"dtype", "int8"}}), "unsupported: config.json: dtype `int8`");
}

TEST(ConfigValues, WhatCannotBeIsSaidExactly) {
  const std::string most = "16777216", range = ", expected 1 .. " + most;
  const std::pair<Json, std::string> cases[] = {
      {{{"vocab_size", 0}}, "corrupt: config.json: `vocab_size` is 0" + range},
      {{{"hidden_size", 16777217}}, "corrupt: config.json: `hidden_size` is 16777217" + range},
      {{{"num_key_value_heads", 3}},
       "corrupt: config.json: `num_attention_heads` 8 is not a multiple of `num_key_value_heads` "
       "3"},
      {{{"hidden_size", 63}},
       "corrupt: config.json: no `head_dim`, and `hidden_size` 63 is not a multiple of "
       "`num_attention_heads` 8"},
      {{{"hidden_size", 40}},
       "corrupt: config.json: head_dim 5 is odd: rotary position embedding needs pairs"},
      {{{"num_hidden_layers", 4097}}, "corrupt: config.json: `num_hidden_layers` is 4097"},
      {{{"rms_norm_eps", 1.5}}, "corrupt: config.json: `rms_norm_eps` is 1.5"},
      {{{"rms_norm_eps", -1e-9}}, "corrupt: config.json: `rms_norm_eps` is -1e-09"},
      {{{"sink_size", -1}}, "corrupt: config.json: `sink_size` is -1"},
      {{{"sink_size", 16777217}}, "corrupt: config.json: `sink_size` is 16777217"},
      {{{"pooling_rows", -1}}, "corrupt: config.json: `pooling_rows` is -1"},
      {{{"pooling_rows", 16777217}}, "corrupt: config.json: `pooling_rows` is 16777217"},
      {{{"local_window_size", 0}}, "corrupt: config.json: `local_window_size` is 0"},
      {{{"local_window_size", 16777217}}, "corrupt: config.json: `local_window_size` is 16777217"},
      {{{"eos_token_id", -1}},
       "corrupt: config.json: `eos_token_id` -1 lies outside the vocabulary of 100"},
      {{{"eos_token_id", {1, 100}}},
       "corrupt: config.json: `eos_token_id` 100 lies outside the vocabulary of 100"},
      {{{"hidden_act", "gelu"}},
       "unsupported: config.json: `hidden_act` is `gelu`, only silu is supported"},
      {{{"use_sliding_window", true}},
       "unsupported: config.json: `use_sliding_window` is true: sliding-window layers are not "
       "supported"},
      {{{"layer_types", {"full_attention", "chunked"}}},
       "unsupported: config.json: `layer_types` holds \"chunked\""},
      {{{"partial_rotary_factor", 0.99}},
       "unsupported: config.json: `partial_rotary_factor` is not 1"},
      {{{"quantization_config", Json::object()}},
       "unsupported: config.json: `quantization_config`: quantised checkpoints are not supported; "
       "use the F32, F16 or BF16 weights"},
      {{{"architectures", Json::array()}},
       "corrupt: config.json: `architectures` is missing or not a list of names"},
      {{{"architectures", {7}}},
       "corrupt: config.json: `architectures` is missing or not a list of names"},
      {{{"architectures", {7, "LlamaForCausalLM"}}},
       "corrupt: config.json: `architectures` is missing or not a list of names"},
  };
  for (const auto& [changes, said] : cases) EXPECT_EQ(refusal(changes), said) << changes.dump();
  for (const Json& fine :
       {Json{{"rms_norm_eps", 0}}, Json{{"rms_norm_eps", 1}}, Json{{"sink_size", 0}},
        Json{{"sink_size", 16777216}}, Json{{"pooling_rows", 0}}, Json{{"pooling_rows", 16777216}},
        Json{{"local_window_size", 1}}, Json{{"local_window_size", 16777216}},
        Json{{"eos_token_id", 0}}, Json{{"eos_token_id", 99}}, Json{{"num_hidden_layers", 4096}},
        Json{{"eos_token_id", Json::array()}}, Json{{"hidden_size", 16777216}}}) {
    EXPECT_EQ(refusal(fine), "no error") << fine.dump();
  }
}

std::string rope(const Json& changes) { return shown(read(changes).rope); }

TEST(ConfigValues, RotaryEmbeddings) {
  const std::string rest = " low 1 high 4 original 0 fast 32 slow 1 truncated scale 1.000000";
  EXPECT_EQ(rope(Json::object()), "default theta 10000 factor 1" + rest);
  EXPECT_EQ(rope({{"rope_theta", 5e5}}), "default theta 500000 factor 1" + rest);
  EXPECT_EQ(rope({{"rope_scaling", {{"type", "default"}, {"factor", 2}}}}),
            "default theta 10000 factor 1" + rest);
  EXPECT_EQ(rope({{"rope_parameters", {{"rope_theta", 7}}}, {"rope_theta", 9}}),
            "default theta 7 factor 1" + rest);
  EXPECT_EQ(
      rope({{"rope_parameters", nullptr}, {"rope_scaling", {{"type", "linear"}, {"factor", 2}}}}),
      "linear theta 10000 factor 2" + rest);
  EXPECT_EQ(rope({{"rope_scaling", {{"rope_type", "linear"}, {"type", "yarn"}, {"factor", 3}}}}),
            "linear theta 10000 factor 3" + rest);
  EXPECT_EQ(rope({{"rope_parameters",
                   {{"rope_type", "llama3"},
                    {"factor", 8},
                    {"low_freq_factor", 2},
                    {"high_freq_factor", 5},
                    {"original_max_position_embeddings", 1}}}}),
            "llama3 theta 10000 factor 8 low 2 high 5 original 1 fast 32 slow 1 truncated scale "
            "1.000000");
}

TEST(ConfigValues, YarnsScale) {
  const auto yarn = [](Json keys) {
    keys["rope_type"] = "yarn";
    return rope({{"rope_parameters", std::move(keys)}});
  };
  const auto text = [](const char* factor, const char* betas, double scale) {
    return fmt::format("yarn theta 10000 factor {} low 1 high 4 original {} scale {:.6f}", factor,
                       betas, scale);
  };
  const char* plain = "256 fast 32 slow 1 truncated";
  EXPECT_EQ(yarn({{"factor", 4}}), text("4", plain, 0.1 * std::log(4) + 1));
  EXPECT_EQ(yarn({{"factor", 1}}), text("1", plain, 1));
  EXPECT_EQ(yarn({{"factor", 0.5}}), text("0.5", plain, 1));
  EXPECT_EQ(yarn({{"factor", 4}, {"attention_factor", 0.25}, {"mscale", 2}, {"mscale_all_dim", 3}}),
            text("4", plain, 0.25));
  EXPECT_EQ(yarn({{"factor", 4}, {"attention_factor", 0}, {"mscale", 2}, {"mscale_all_dim", 3}}),
            text("4", plain, (0.2 * std::log(4) + 1) / (0.3 * std::log(4) + 1)));
  for (const char* one : {"mscale", "mscale_all_dim"}) {
    EXPECT_EQ(yarn({{"factor", 4}, {one, 3}}), text("4", plain, 0.1 * std::log(4) + 1)) << one;
  }
  EXPECT_EQ(yarn({{"factor", 4},
                  {"original_max_position_embeddings", 1},
                  {"beta_fast", 3},
                  {"beta_slow", 2},
                  {"truncate", false}}),
            text("4", "1 fast 3 slow 2 whole", 0.1 * std::log(4) + 1));
}

TEST(ConfigValues, WhatIsNoRotaryEmbeddingIsSaidExactly) {
  const std::string at = "corrupt: config.json: rope_scaling: ";
  const auto scaling = [](const Json& keys) { return refusal({{"rope_scaling", keys}}); };
  const Json llama3 = {{"type", "llama3"},
                       {"factor", 8},
                       {"low_freq_factor", 1},
                       {"high_freq_factor", 4},
                       {"original_max_position_embeddings", 64}};
  const auto but = [&](const char* key, const Json& value) {
    Json changed = llama3;
    changed[key] = value;
    return scaling(changed);
  };
  EXPECT_EQ(scaling(llama3), "no error");
  EXPECT_EQ(but("factor", 0), at + "`factor` is 0");
  EXPECT_EQ(but("low_freq_factor", -1), at + "`low_freq_factor` is -1");
  EXPECT_EQ(but("high_freq_factor", 1), at + "`high_freq_factor` is 1");
  EXPECT_EQ(but("original_max_position_embeddings", 0),
            at + "`original_max_position_embeddings` is 0");
  EXPECT_EQ(scaling({{"type", "yarn"}, {"factor", 2}, {"original_max_position_embeddings", 0}}),
            at + "`original_max_position_embeddings` is 0");
  EXPECT_EQ(scaling({{"type", "yarn"}, {"factor", 2}, {"beta_fast", 0}}), at + "`beta_fast` is 0");
  EXPECT_EQ(scaling({{"type", "yarn"}, {"factor", 2}, {"attention_factor", -1}}),
            at + "`attention_factor` is -1");
  EXPECT_EQ(scaling({{"type", "linear"}}), at + "key `factor` is missing");
  EXPECT_EQ(scaling({{"factor", 2}}), at + "key `rope_type` is missing");
  EXPECT_EQ(scaling("linear"), "corrupt: config.json: `rope_scaling` is not an object");
  EXPECT_EQ(scaling({{"type", "dynamic"}}),
            "unsupported: config.json: rope_scaling: rope_type `dynamic`; known: default, linear, "
            "llama3, yarn, factors");
  EXPECT_EQ(scaling({{"type", "factors"}}), at + "`factors` is missing or no list of numbers");
  EXPECT_EQ(scaling({{"type", "factors"}, {"factors", {1, -1}}}), at + "`factors` is -1");
  EXPECT_EQ(refusal({{"rope_theta", 0}}), "corrupt: config.json: `rope_theta` is 0");
}

TEST(ConfigValues, FilesOfAFolder) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "config.json", config_with({{"eos_token_id", 2}}).dump());
  const auto eos = [&](const char* generation) {
    write_file_atomic(folder / "generation_config.json", generation);
    return read_model_config(folder.path()).eos_ids;
  };
  using Ids = std::vector<std::int32_t>;
  EXPECT_EQ(read_model_config(folder.path()).eos_ids, Ids{2});
  EXPECT_EQ(eos("{}"), Ids{2});
  EXPECT_EQ(eos(R"({"eos_token_id": null})"), Ids{2});
  EXPECT_EQ(eos(R"({"eos_token_id": 3})"), Ids{3});
  EXPECT_EQ(eos(R"({"eos_token_id": [4, 5]})"), (Ids{4, 5}));
  EXPECT_EQ(eos(R"({"eos_token_id": []})"), Ids{});
  try {
    eos("[]");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), (folder / "generation_config.json").string() + ": not a JSON object");
  }
}

// By the formulas of the header, in steps of 1024 rows between the least and the most.
TEST(ConfigValues, ChunksOfAPrefill) {
  std::int64_t i = 1;
  for (const bool cpu : {false, true}) {
    for (const std::int64_t bytes : {2, 4}) {
      for (const std::int64_t hidden : {512, 4096, 100000}) {
        for (const std::int64_t intermediate : {768, 12288}) {
          const std::int64_t width = 640 * (i++ % 7 + 1);
          const std::int64_t kv_width = width / 5;
          const bool norms = i % 2 == 0;
          const PrefillShape shape{hidden, intermediate, width, kv_width, bytes, cpu, norms};
          const std::int64_t budget = (cpu ? 512LL : 2048LL) * 1024 * 1024;
          const std::int64_t row = bytes * (hidden + hidden + 3 * (intermediate + width));
          const std::int64_t steps = budget / row / 1024;
          EXPECT_EQ(prefill_chunk_rows(shape), 1024 * (steps < 1 ? 1 : steps > 8 ? 8 : steps));
          const std::int64_t mlp = bytes * hidden + bytes * 3 * intermediate;
          const std::int64_t attention =
              bytes * hidden + bytes * (norms ? 3 : 2) * (width + kv_width);
          EXPECT_EQ(prefill_chunk_bytes(shape, 7), 7 * (mlp > attention ? mlp : attention));
        }
      }
    }
  }
}

}  // namespace
}  // namespace elastic::engine
