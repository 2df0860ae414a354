// Models from GGUF files: those of tests/data/gguf against transformers and against the same model
// as a Hugging Face folder, and a real pretrained one against its stored ids and logits.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "engine/api/chat_template.h"
#include "engine/api/tokenizer.h"
#include "engine/config/model_config.h"
#include "tests/engine/golden_run.h"
#include "tests/engine/model_copy.h"
#include "tests/engine/model_golden.h"
#include "tests/testing/cases.h"
#include "tests/testing/gguf_writer.h"

namespace elastic::testing {
namespace {

namespace fs = std::filesystem;

TEST(GgufModel, AgreesWithTransformers) {
  EXPECT_EQ(check_model_folder(fixture("models/llama_linear_bias.golden.safetensors"),
                               fixture("gguf/llama_linear_bias.gguf")),
            6);
}

engine::Result logits_of(const fs::path& model, const std::string& dtype = "fp32") {
  engine::Request request = request_of(some_ids(40, 7), 6);
  request.all_logits = true;
  return cpu_generator(model, dtype)->generate(request);
}

TEST(GgufModel, IsTheSameModelAsAFolder) {
  const TemporaryFolder folder;
  const Json plain = {{"rope_type", "default"}, {"rope_theta", 10000.0}};
  const fs::path model =
      fixture_with(folder, "models/qwen3_yarn_options", "rope_parameters", plain);
  for (const char* dtype : {"fp32", "bf16"}) {
    const engine::Result of_folder = logits_of(model, dtype);
    const engine::Result of_file = logits_of(fixture("gguf/qwen3_plain.gguf"), dtype);
    EXPECT_EQ(of_file.ids, of_folder.ids) << dtype;
    EXPECT_EQ(tensor_named(of_file, "logits").values, tensor_named(of_folder, "logits").values);
  }
}

TEST(GgufModel, WhatARecordSaysOfIt) {
  const fs::path file = fixture("gguf/qwen3_plain.gguf");
  const auto generator = cpu_generator(file);
  const engine::ModelInfo& info = generator->model();
  EXPECT_EQ(info.name, "qwen3_plain");
  EXPECT_EQ(info.family, "qwen3");
  EXPECT_EQ(info.weights_sha256, sha256_file(file));
  EXPECT_EQ(info.config_sha256, sha256_hex(engine::read_config_text(file)));
  EXPECT_TRUE(info.has_tokenizer);
  EXPECT_FALSE(info.has_router);
  EXPECT_EQ(engine::check_modes(file, {}, {"fa", "ssa"}).whole_prompts, false);
  EXPECT_THROW(engine::check_modes(file, {}, {"fa-ssa"}), Error) << "it has no routers";
}

// A llama of one layer, hidden 8, a head of 8, whose tensors `change` may leave out or reshape.
using Shapes = std::vector<std::pair<std::string, std::vector<std::uint64_t>>>;

std::string load_fault(const std::function<void(Shapes&)>& change) {
  GgufWriter gguf;
  gguf.text("general.architecture", "llama");
  for (const char* key : {"llama.context_length", "llama.embedding_length",
                          "llama.attention.key_length", "llama.feed_forward_length"}) {
    gguf.u32(key, 8);
  }
  for (const char* key : {"llama.block_count", "llama.attention.head_count"}) gguf.u32(key, 1);
  gguf.f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  Shapes shapes = {{"token_embd.weight", {8, 4}},     {"output_norm.weight", {8}},
                   {"blk.0.attn_norm.weight", {8}},   {"blk.0.ffn_norm.weight", {8}},
                   {"blk.0.attn_q.weight", {8, 8}},   {"blk.0.attn_k.weight", {8, 8}},
                   {"blk.0.attn_v.weight", {8, 8}},   {"blk.0.attn_output.weight", {8, 8}},
                   {"blk.0.ffn_gate.weight", {8, 8}}, {"blk.0.ffn_up.weight", {8, 8}},
                   {"blk.0.ffn_down.weight", {8, 8}}};
  change(shapes);
  for (const auto& [name, extents] : shapes) {
    std::uint64_t elements = 1;
    for (const std::uint64_t extent : extents) elements *= extent;
    gguf.tensor(name, extents, kGgufF32, std::string(elements * sizeof(float), '\0'));
  }
  const TemporaryFolder folder;
  write_file(folder / "m.gguf", gguf.bytes());
  try {
    load_from(folder / "m.gguf");
  } catch (const Error& error) {
    return std::string(error.what()).substr((folder / "m.gguf").string().size());
  }
  return "loaded";
}

TEST(GgufModel, TensorsThatDoNotFitAreNamedAsTheFileNamesThem) {
  EXPECT_EQ(load_fault([](Shapes&) {}), "loaded");
  EXPECT_EQ(load_fault([](Shapes& shapes) {
              std::erase_if(shapes, [](const auto& s) { return s.first == "blk.0.ffn_up.weight"; });
            }),
            ": no tensor `blk.0.ffn_up.weight`");
  EXPECT_EQ(load_fault([](Shapes& shapes) {
              shapes[10].second = {8, 7};
            }),
            ": tensor `blk.0.ffn_down.weight` has shape [7, 8], its metadata asks for [8, 8]");
  EXPECT_EQ(load_fault([](Shapes& shapes) {
              shapes[4].second = {8, 10};
            }),
            ": tensor `blk.0.attn_q.weight` has shape [10, 8], its metadata asks for [8, 8]");
  EXPECT_EQ(load_fault([](Shapes& shapes) {
              shapes.push_back({"blk.1.attn_norm.weight", {8}});
            }),
            ": tensor `model.layers.1.input_layernorm.weight` is stored, but the config has "
            "num_hidden_layers 1");
  EXPECT_EQ(load_fault([](Shapes& shapes) { shapes.push_back({"something", {8}}); }), "loaded");
}

TEST(GgufModel, NoFileAndNoGguf) {
  const TemporaryFolder folder;
  EXPECT_THROW(cpu_generator(folder / "m.gguf"), Error);
  fs::create_directories(folder / "d.gguf");
  EXPECT_THROW(cpu_generator(folder / "d.gguf"), Error);
}

// ---- SmolLM2, as `data fetch smollm2` brings it ----

class Golden_smollm2_model : public ::testing::Test {
 protected:
  void SetUp() override {
    golden_ = golden_folder("smollm2");
    model_ = smollm2_file();
    if (golden_.empty()) GTEST_SKIP() << "golden folder absent: smollm2";
    if (model_.empty()) GTEST_SKIP() << kNoSmollm2;
  }
  static std::vector<Json> rows(const fs::path& file) {
    std::vector<Json> list;
    const std::string text = read_file(file);
    for (const std::string_view line : split(text, '\n')) {
      if (!line.empty()) list.push_back(parse_json(line, file.string()));
    }
    return list;
  }

  fs::path golden_, model_;
};

using Ids = std::vector<std::int32_t>;

// The prompt as the file's own template and tokenizer make it.
Ids prompt_of(const Json& row, const engine::Tokenizer& tokenizer,
              const engine::ChatTemplate& chat) {
  if (row.at("kind") != "chat") return tokenizer.encode(row.at("prompt").get<std::string>());
  const engine::ChatMessage question{"user", row.at("question").get<std::string>()};
  const std::string prompt = chat.render(std::span(&question, 1), {});
  EXPECT_EQ(prompt, row.at("prompt").get<std::string>());
  return engine::encode_single_bos(tokenizer, prompt);
}

TEST_F(Golden_smollm2_model, PromptsLogitsAndAnswers) {
  constexpr double kTolerance = 2e-3;
  const auto tokenizer = engine::Tokenizer::load(model_);
  const auto chat = engine::ChatTemplate::load(model_);
  ASSERT_TRUE(chat.has_value());
  const auto generator = cpu_generator(model_);
  const std::vector<Json> list = rows(golden_ / "prompts.jsonl");
  double worst = 0;
  for (const Json& row : list) {
    engine::Request request;
    request.ids = prompt_of(row, tokenizer, *chat);
    EXPECT_EQ(request.ids, row.at("ids").get<Ids>());
    request.max_new_tokens = 16;
    request.all_logits = true;
    const engine::Result result = generator->generate(request);
    EXPECT_EQ(result.ids, row.at("greedy").get<Ids>()) << row.at("prompt");
    const std::vector<float>& logits = tensor_named(result, "logits").values;
    const std::size_t last = logits.size() - static_cast<std::size_t>(generator->model().vocab);
    const auto ids = row.at("top_ids").get<std::vector<std::size_t>>();
    const auto wanted = row.at("top_logits").get<std::vector<double>>();
    ASSERT_EQ(ids.size(), 20U);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      worst = std::max(worst, std::abs(logits.at(last + ids[i]) - wanted.at(i)));
    }
  }
  EXPECT_LE(worst, kTolerance);
  std::cout << "largest difference of a logit: " << worst << "\n";
  expect_all_ran(list.size(), stored_lines(golden_ / "prompts.jsonl"));
}

TEST_F(Golden_smollm2_model, WhatItIs) {
  const engine::ModelConfig c = engine::read_model_config(model_);
  EXPECT_EQ(c.architecture, "LlamaForCausalLM");
  EXPECT_EQ(c.layers, 30);
  EXPECT_EQ(c.hidden, 576);
  EXPECT_EQ(c.heads_q, 9);
  EXPECT_EQ(c.heads_kv, 3);
  EXPECT_EQ(c.vocab, 49152);
  EXPECT_EQ(c.rope.theta, 1e5);
  EXPECT_EQ(c.eos_ids, Ids{2});
  EXPECT_TRUE(c.tied);
}

}  // namespace
}  // namespace elastic::testing
