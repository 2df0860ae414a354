// GGUF metadata as a model's config, and tensors under Hugging Face's names.

#include "engine/config/gguf_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/config/model_config.h"
#include "engine/io/gguf_weights.h"
#include "tests/testing/folders.h"
#include "tests/testing/gguf_writer.h"

namespace elastic::engine {
namespace {

using testing::GgufWriter;
using Change = std::function<void(GgufWriter&)>;

using testing::kGgufF16;
using testing::kGgufF32;
using testing::kGgufQ8_0;
constexpr std::uint64_t kVocab = 12, kHidden = 8, kHeadRows = 4;

std::string floats(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) bytes += GgufWriter::raw(value);
  return bytes;
}

// A llama of two layers without `left_out`, then changed.
std::string model(const Change& change, std::string_view left_out = "") {
  GgufWriter gguf;
  const std::vector<std::pair<const char*, std::uint32_t>> sizes = {
      {"llama.context_length", 64},      {"llama.embedding_length", kHidden},
      {"llama.block_count", 2},          {"llama.feed_forward_length", 16},
      {"llama.attention.head_count", 2}, {"llama.attention.head_count_kv", 1}};
  if (left_out != "general.architecture") gguf.text("general.architecture", "llama");
  for (const auto& [key, size] : sizes) {
    if (left_out != key) gguf.u32(key, size);
  }
  if (left_out != "llama.attention.layer_norm_rms_epsilon") {
    gguf.f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  }
  if (left_out != "token_embd.weight") {
    gguf.tensor("token_embd.weight", {kHidden, kVocab}, kGgufF32,
                std::string(kHidden * kVocab * sizeof(float), '\0'));
  }
  change(gguf);
  return gguf.bytes();
}

const Change kNoChange = [](GgufWriter&) {};

GgufFile opened(const std::string& bytes) {  // as long as `bytes` live
  return GgufFile({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "x");
}

ModelConfig config_of(const Change& change) {
  const std::string bytes = model(change);
  const Json json = gguf_config(opened(bytes));
  return parse_model_config({json, "x"});
}

std::string config_fault(const std::string& bytes) {
  try {
    const GgufFile file = opened(bytes);
    const Json json = gguf_config(file);
    parse_model_config({json, "x"});
    gguf_weights(file);
  } catch (const Error& error) {
    return std::string(to_string(error.kind())) + ": " + error.what();
  }
  return "read";
}

TEST(GgufConfig, SizesOfALlama) {
  const ModelConfig c = config_of(kNoChange);
  EXPECT_EQ(c.architecture, "LlamaForCausalLM");
  EXPECT_EQ(c.family, "llama");
  EXPECT_EQ(c.vocab, 12);
  EXPECT_EQ(c.hidden, 8);
  EXPECT_EQ(c.intermediate, 16);
  EXPECT_EQ(c.layers, 2);
  EXPECT_EQ(c.heads_q, 2);
  EXPECT_EQ(c.heads_kv, 1);
  EXPECT_EQ(c.head_dim, 4);
  EXPECT_EQ(c.max_positions, 64);
  EXPECT_FLOAT_EQ(static_cast<float>(c.rms_eps), 1e-5F);
  EXPECT_TRUE(c.tied);
  EXPECT_FALSE(c.qkv_bias || c.o_bias || c.mlp_bias || c.qk_norm);
  EXPECT_EQ(c.rope.type, RopeType::kDefault);
  EXPECT_EQ(c.rope.theta, 10000);
  EXPECT_EQ(c.dtype, "fp32");
  EXPECT_TRUE(c.eos_ids.empty());
}

TEST(GgufConfig, WhatTensorsTell) {
  const std::string row(kHidden * sizeof(float), '\0');
  const ModelConfig c = config_of([&](GgufWriter& gguf) {
    gguf.tensor("output.weight", {kHidden, 1}, kGgufF16, row.substr(0, row.size() / 2));
    gguf.tensor("blk.0.attn_q.bias", {kHidden}, kGgufF32, row);
    gguf.tensor("blk.0.ffn_gate.bias", {kHidden}, kGgufF32, row);
  });
  EXPECT_FALSE(c.tied);
  EXPECT_TRUE(c.qkv_bias && c.o_bias && c.mlp_bias);
  EXPECT_EQ(c.dtype, "fp16");
  EXPECT_EQ(config_of([](GgufWriter& gguf) {
              gguf.tensor("x", {32}, kGgufQ8_0, std::string(34, '\0'));
            }).dtype,
            "bf16");
}

TEST(GgufConfig, HeadsAndEnds) {
  const ModelConfig c = config_of([](GgufWriter& gguf) {
    gguf.u32("llama.attention.key_length", 6);
    gguf.u32("llama.attention.value_length", 6);
    gguf.u32("llama.rope.dimension_count", 6);
    gguf.u32("llama.vocab_size", 12);
    gguf.u32("llama.expert_count", 0);
    gguf.u32("llama.attention.sliding_window", 64);
    gguf.u32("tokenizer.ggml.eos_token_id", 3);
    gguf.u32("tokenizer.ggml.eot_token_id", 5);
    gguf.u32("tokenizer.ggml.eom_token_id", 3);
  });
  EXPECT_EQ(c.head_dim, 6);
  EXPECT_EQ(c.eos_ids, (std::vector<std::int32_t>{3, 5}));
  const std::string bytes = model(
      [](GgufWriter& gguf) {
        gguf.numbers<std::int32_t>("llama.attention.head_count_kv", GgufWriter::kI32, {2, 2});
      },
      "llama.attention.head_count_kv");
  const Json json = gguf_config(opened(bytes));
  EXPECT_EQ(parse_model_config({json, "x"}).heads_kv, 2);
  const std::string without = model(kNoChange, "llama.attention.head_count_kv");
  EXPECT_EQ(gguf_config(opened(without))["num_key_value_heads"], 2);
}

TEST(GgufConfig, KindsOfRope) {
  const RopeConfig linear = config_of([](GgufWriter& gguf) {
                              gguf.f32("llama.rope.freq_base", 5e5F);
                              gguf.text("llama.rope.scaling.type", "linear");
                              gguf.f32("llama.rope.scaling.factor", 4);
                            }).rope;
  EXPECT_EQ(linear.type, RopeType::kLinear);
  EXPECT_EQ(linear.theta, 5e5);
  EXPECT_EQ(linear.factor, 4);
  const RopeConfig older =
      config_of([](GgufWriter& gguf) { gguf.f32("llama.rope.scale_linear", 2); }).rope;
  EXPECT_EQ(older.type, RopeType::kLinear);
  EXPECT_EQ(older.factor, 2);
  const RopeConfig yarn = config_of([](GgufWriter& gguf) {
                            gguf.text("llama.rope.scaling.type", "yarn");
                            gguf.f32("llama.rope.scaling.factor", 4);
                            gguf.u32("llama.rope.scaling.original_context_length", 16);
                            gguf.f32("llama.rope.scaling.attn_factor", 0.5);
                            gguf.f32("llama.rope.scaling.yarn_beta_fast", 24);
                            gguf.f32("llama.rope.scaling.yarn_beta_slow", 2);
                          }).rope;
  EXPECT_EQ(yarn.type, RopeType::kYarn);
  EXPECT_EQ(yarn.original_max_positions, 16);
  EXPECT_EQ(yarn.beta_fast, 24);
  EXPECT_EQ(yarn.beta_slow, 2);
  EXPECT_DOUBLE_EQ(yarn.attention_factor, 0.5 * (1 + 0.1 * std::log(4.0)));
  const RopeConfig factors = config_of([](GgufWriter& gguf) {
                               gguf.tensor("rope_freqs.weight", {2}, kGgufF32, floats({1, 8}));
                             }).rope;
  EXPECT_EQ(factors.type, RopeType::kFactors);
  EXPECT_EQ(factors.factors, (std::vector<double>{1, 8}));
}

struct Fault {
  Change change;
  const char* said;
};

TEST(GgufConfig, WhatIsMissingIsNamed) {
  for (const char* key :
       {"general.architecture", "llama.context_length", "llama.embedding_length",
        "llama.block_count", "llama.feed_forward_length", "llama.attention.head_count"}) {
    EXPECT_EQ(config_fault(model(kNoChange, key)),
              "corrupt: x: key `" + std::string(key) + "` is missing");
  }
  EXPECT_EQ(config_fault(model(kNoChange, "llama.attention.layer_norm_rms_epsilon")),
            "corrupt: x: `llama.attention.layer_norm_rms_epsilon` is missing");
  EXPECT_EQ(config_fault(model(kNoChange, "token_embd.weight")),
            "corrupt: x: no tensor `token_embd.weight`");
}

TEST(GgufConfig, WhatIsNotUnderstoodIsNamed) {
  using W = GgufWriter;
  const auto u32 = [](const char* key, std::uint32_t value) {
    return [=](W& gguf) { gguf.u32(key, value); };
  };
  const auto text = [](const char* key, const char* value) {
    return [=](W& gguf) { gguf.text(key, value); };
  };
  const std::vector<Fault> faults = {
      {u32("llama.attention.scale", 1),
       "unsupported: x: key `llama.attention.scale` is not understood: it may change results"},
      {u32("llama.expert_count", 8), "unsupported: x: `llama.expert_count` is not 0"},
      {u32("llama.vocab_size", 13),
       "corrupt: x: `llama.vocab_size` is 13, and `token_embd.weight` has 12 rows"},
      {[](W& gguf) {
         gguf.texts("tokenizer.ggml.tokens", {"a", "b"});
       },
       "corrupt: x: `tokenizer.ggml.tokens` has 2 entries, and `token_embd.weight` has 12 rows"},
      {text("llama.vocab_size", "12"), "`llama.vocab_size` is string, expected a whole number"},
      {u32("llama.rope.dimension_count", 2),
       "unsupported: x: `llama.rope.dimension_count` is 2 with heads of 4"},
      {u32("llama.attention.value_length", 2),
       "unsupported: x: `llama.attention.value_length` is 2 with heads of 4"},
      {u32("llama.attention.sliding_window", 32), "is 32 of 64 positions"},
      {[](W& gguf) { gguf.flag("llama.attention.causal", false); }, "`llama.attention.causal`"},
      {text("general.type", "adapter"), "`general.type` is `adapter`, expected model"},
      {text("llama.rope.scaling.type", "longrope"),
       "`llama.rope.scaling.type` is `longrope`; known: none, linear, yarn"},
      {text("llama.rope.scaling.type", "yarn"), "`llama.rope.scaling.factor` is missing"},
      {[](W& gguf) {
         gguf.tensor("rope_factors_long.weight", {2}, kGgufF32, floats({1, 1}));
       },
       "tensor `rope_factors_long.weight`: this kind of RoPE is not supported"},
      {[](W& gguf) {
         gguf.tensor("rope_freqs.weight", {3}, kGgufF32, floats({1, 1, 1}));
       },
       "RoPE has 3 `factors`, expected 2"},
      {[](W& gguf) {
         gguf.tensor("rope_freqs.weight", {2}, kGgufF32, floats({1, NAN}));
       },
       "`factors`"},
      {[](W& gguf) {
         gguf.tensor("rope_freqs.weight", {2}, kGgufF32, floats({1, 0}));
       },
       "`factors` is 0"},
      {[](W& gguf) { gguf.tensor("rope_freqs.weight", {2}, kGgufF16, "1234"); },
       "tensor `rope_freqs.weight` is F16; expected F32"},
      {u32("tokenizer.ggml.eos_token_id", 12),
       "`tokenizer.ggml.eos_token_id` is 12, outside the vocabulary of 12"},
      {text("tokenizer.ggml.eot_token_id", "2"), "expected a whole number"},
      {[](W& gguf) {
         gguf.tensor("blk.0.attn_q.weight", {kHidden, 6}, kGgufF32, std::string(192, '\0'));
       },
       "tensor `blk.0.attn_q.weight` (F32) has 6 rows, no pairs in 2 heads"},
      {[](W& gguf) { gguf.tensor("blk.0.attn_k.bias", {32}, kGgufQ8_0, std::string(34, '\0')); },
       "tensor `blk.0.attn_k.bias` (Q8_0)"},
      {[](W& gguf) { gguf.tensor("model.embed_tokens.weight", {1}, kGgufF32, "1234"); },
       "tensor `model.embed_tokens.weight` is also there as `token_embd.weight`"},
  };
  for (const Fault& fault : faults) {
    const std::string said = config_fault(model(fault.change));
    EXPECT_NE(said.find(fault.said), std::string::npos) << fault.said << "\n" << said;
  }
  const auto other = [](W& gguf) { gguf.text("general.architecture", "gemma3"); };
  EXPECT_EQ(config_fault(model(other, "general.architecture")),
            "unsupported: x: unknown `general.architecture` `gemma3`; known: llama, qwen3");
}

TEST(GgufConfig, SizesOutOfRangeAreNamed) {
  const auto instead = [](const char* key, std::uint32_t value) {
    return config_fault(model([&](GgufWriter& gguf) { gguf.u32(key, value); }, key));
  };
  EXPECT_EQ(instead("llama.block_count", 0),
            "corrupt: x: `llama.block_count` is 0, expected 1 or more");
  EXPECT_EQ(instead("llama.embedding_length", 0xFFFFFFFF),
            "corrupt: x: `hidden_size` is 4294967295, expected 1 .. 16777216");
  EXPECT_EQ(instead("llama.attention.head_count", 0),
            "corrupt: x: `llama.attention.head_count` is 0, expected 1 or more");
  const auto mixed = [](GgufWriter& gguf) {
    gguf.numbers<std::int32_t>("llama.block_count", GgufWriter::kI32, {2, 3});
  };
  EXPECT_EQ(config_fault(model(mixed, "llama.block_count")),
            "unsupported: x: `llama.block_count` differs from layer to layer");
  const auto empty = [](GgufWriter& gguf) {
    gguf.numbers<std::int32_t>("llama.block_count", GgufWriter::kI32, {});
  };
  EXPECT_EQ(config_fault(model(empty, "llama.block_count")),
            "corrupt: x: `llama.block_count` is an empty array");
}

TEST(GgufWeights, NamesAndRowOrder) {
  std::vector<float> rows;
  rows.reserve(16);
  for (int i = 0; i < 16; ++i) rows.push_back(static_cast<float>(i));
  const std::string bytes = model([&](GgufWriter& gguf) {
    gguf.tensor("output_norm.weight", {kHidden}, kGgufF32, std::string(32, '\0'));
    gguf.tensor("blk.1.attn_q.weight", {2, 2 * kHeadRows}, kGgufF32, floats(rows));
    gguf.tensor("blk.1.attn_v.weight", {2, 2 * kHeadRows}, kGgufF32, floats(rows));
    gguf.tensor("blk.1.attn_k.bias", {kHeadRows}, kGgufF32, floats({0, 1, 2, 3}));
    gguf.tensor("blk.x.attn_q.weight", {1}, kGgufF32, "1234");
    gguf.tensor("rope_freqs.weight", {2}, kGgufF32, floats({1, 1}));
  });
  const GgufFile file = opened(bytes);
  const auto weights = gguf_weights(file);
  std::vector<std::string> names;
  names.reserve(weights.size());
  for (const auto& [name, ignored] : weights) names.push_back(name);
  EXPECT_EQ(names,
            (std::vector<std::string>{
                "blk.x.attn_q.weight", "model.embed_tokens.weight",
                "model.layers.1.self_attn.k_proj.bias", "model.layers.1.self_attn.q_proj.weight",
                "model.layers.1.self_attn.v_proj.weight", "model.norm.weight"}));
  EXPECT_EQ(gguf_name("model.layers.1.self_attn.q_proj.weight"), "blk.1.attn_q.weight");
  EXPECT_EQ(gguf_name("model.norm.weight"), "output_norm.weight");
  EXPECT_EQ(gguf_name("something.else"), "something.else");
  const auto values = [&](const char* name, std::int64_t begin, std::int64_t end) {
    const GgufWeight& weight = weights.at(name);
    std::vector<float> out(
        static_cast<std::size_t>((end - begin) * weight.tensor->elements() / weight.rows()));
    read_rows(weight, begin, end, out);
    return out;
  };
  EXPECT_EQ(values("model.layers.1.self_attn.v_proj.weight", 0, 8), rows);
  // Two heads of four rows: 0 2 1 3, 4 6 5 7.
  EXPECT_EQ(values("model.layers.1.self_attn.q_proj.weight", 0, 8),
            (std::vector<float>{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15}));
  EXPECT_EQ(values("model.layers.1.self_attn.q_proj.weight", 5, 7),
            (std::vector<float>{12, 13, 10, 11}));
  EXPECT_EQ(values("model.layers.1.self_attn.k_proj.bias", 0, 4), (std::vector<float>{0, 2, 1, 3}));
}

}  // namespace
}  // namespace elastic::engine
