// Tokenizers and chat templates from the metadata of GGUF files: those of tests/data/gguf, others'
// vectors over tokenizers that are rewritten as GGUF here, and what is said of broken ones.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "engine/api/chat_template.h"
#include "engine/api/tokenizer.h"
#include "tests/testing/folders.h"
#include "tests/testing/gguf_writer.h"

namespace elastic::engine {
namespace {

using testing::GgufWriter;
using Ids = std::vector<std::int32_t>;
using Change = std::function<void(GgufWriter&)>;

TEST(GgufTokenizer, SentencepieceLike) {
  const auto path = elastic::testing::fixture("gguf/llama_linear_bias.gguf");
  const Tokenizer tokenizer = Tokenizer::load(path);
  EXPECT_EQ(tokenizer.encode("the river."), (Ids{0, 34, 37, 25, 8, 21, 30}));
  EXPECT_EQ(tokenizer.encode("the river.", false), (Ids{34, 37, 25, 8, 21, 30}));
  EXPECT_EQ(tokenizer.encode("the</s>the"), (Ids{0, 34, 1, 23, 33}));
  EXPECT_EQ(tokenizer.encode("?", false), (Ids{3, 2}));
  EXPECT_EQ(tokenizer.decode(Ids{0, 34, 37}), "the ri");
  EXPECT_EQ(tokenizer.bos_id(), 0);
  EXPECT_EQ(tokenizer.vocab_size(), 96);
  EXPECT_EQ(tokenizer.source(), path.string());
  EXPECT_FALSE(ChatTemplate::load(path).has_value());
}

TEST(GgufTokenizer, ByteLevel) {
  const auto path = elastic::testing::fixture("gguf/qwen3_plain.gguf");
  const Tokenizer tokenizer = Tokenizer::load(path);
  EXPECT_EQ(tokenizer.encode("the river."), (Ids{24, 34, 40, 31}));
  EXPECT_EQ(tokenizer.encode("<think>a<|end|>"), (Ids{2, 5, 1}));
  EXPECT_EQ(tokenizer.decode(Ids{2, 5, 1}, {.skip_special = true}), "<think>a");
  EXPECT_EQ(tokenizer.encode("[PAD3]", false), tokenizer.encode("PAD", false)) << "unused pieces";
  EXPECT_EQ(tokenizer.decode(Ids{95}), "");
  EXPECT_EQ(tokenizer.special_ids(), (Ids{0, 1}));
  EXPECT_EQ(tokenizer.bos_id(), std::nullopt);
  const auto chat = ChatTemplate::load(path);
  ASSERT_TRUE(chat.has_value());
  EXPECT_EQ(chat->render(Json{{{"role", "user"}, {"content", "a"}}}, {}),
            "<|begin|>user\na<|end|>");
  EXPECT_EQ(chat->bos_text(), "<|begin|>");
  EXPECT_EQ(chat->source(), path.string() + ", tokenizer.chat_template");
}

constexpr const char* kTokensKey = "tokenizer.ggml.tokens";
constexpr const char* kKindsKey = "tokenizer.ggml.token_type";
constexpr const char* kMergesKey = "tokenizer.ggml.merges";
constexpr const char* kScoresKey = "tokenizer.ggml.scores";
constexpr const char* kPreKey = "tokenizer.ggml.pre";
constexpr const char* kModelKey = "tokenizer.ggml.model";

// <s>, a, b, ab; without `left_out`, then changed.
std::string tokenizer_file(std::string_view model, const Change& change,
                           std::string_view left_out = "") {
  GgufWriter gguf;
  const auto add = [&](const char* key, const auto& write) {
    if (left_out != key) write(key);
  };
  add(kModelKey, [&](const char* key) { gguf.text(key, model); });
  add(kPreKey, [&](const char* key) { gguf.text(key, "smollm"); });
  add(kTokensKey, [&](const char* key) { gguf.texts(key, {"<s>", "a", "b", "ab", "<unk>"}); });
  add(kKindsKey, [&](const char* key) {
    gguf.numbers<std::int32_t>(key, GgufWriter::kI32, {3, 1, 1, 1, 2});
  });
  add(kMergesKey, [&](const char* key) { gguf.texts(key, {"a b"}); });
  add(kScoresKey, [&](const char* key) {
    gguf.numbers<float>(key, GgufWriter::kF32, {0, -1, -2, -3, 0});
  });
  gguf.u32("tokenizer.ggml.bos_token_id", 0);
  change(gguf);
  return gguf.bytes();
}

std::string load_fault(const std::string& bytes) {
  const elastic::testing::TemporaryFolder folder;
  elastic::testing::write_file(folder / "m.gguf", bytes);
  try {
    Tokenizer::load(folder / "m.gguf");
    ChatTemplate::load(folder / "m.gguf");
  } catch (const Error& error) {
    std::string said = std::string(to_string(error.kind())) + ": " + error.what();
    const std::string path = (folder / "m.gguf").string();
    if (const auto at = said.find(path); at != said.npos) said.replace(at, path.size(), "x");
    return said;
  }
  return "loaded";
}

const Change kNoChange = [](GgufWriter&) {};

TEST(GgufTokenizer, AdditionsAndCutting) {
  const elastic::testing::TemporaryFolder folder;
  const auto encode = [&](const char* text, const Change& change, std::string_view left_out = "") {
    elastic::testing::write_file(folder / "m.gguf", tokenizer_file("gpt2", change, left_out));
    return Tokenizer::load(folder / "m.gguf").encode(text);
  };
  EXPECT_EQ(encode("ab", kNoChange), (Ids{3}));
  const auto bos = [](GgufWriter& gguf) { gguf.flag("tokenizer.ggml.add_bos_token", true); };
  EXPECT_EQ(encode("ab", bos), (Ids{0, 3}));
  const auto eos = [](GgufWriter& gguf) {
    gguf.u32("tokenizer.ggml.eos_token_id", 2);
    gguf.flag("tokenizer.ggml.add_eos_token", true);
  };
  EXPECT_EQ(encode("ab", eos), (Ids{3, 2}));
  const auto llama3 = [](GgufWriter& gguf) { gguf.text(kPreKey, "llama-bpe"); };
  EXPECT_EQ(encode("ab", llama3, kPreKey), (Ids{0, 3})) << "a BOS unless the file says otherwise";
  EXPECT_EQ(encode("ab", kNoChange, kKindsKey), (Ids{3})) << "all pieces are normal";
}

TEST(GgufTokenizer, TheHashIsOfItsKeysAlone) {
  const elastic::testing::TemporaryFolder folder;
  const auto hash = [&](const Change& change) {
    elastic::testing::write_file(folder / "m.gguf", tokenizer_file("gpt2", change));
    return Tokenizer::load(folder / "m.gguf").sha256();
  };
  const std::string plain = hash(kNoChange);
  EXPECT_EQ(plain.size(), 64U);
  EXPECT_EQ(hash([](GgufWriter& gguf) { gguf.u32("llama.block_count", 3); }), plain);
  EXPECT_NE(hash([](GgufWriter& gguf) { gguf.flag("tokenizer.ggml.add_bos_token", false); }),
            plain);
}

TEST(GgufTokenizer, WhatIsMissingIsNamed) {
  EXPECT_EQ(load_fault(tokenizer_file("gpt2", kNoChange, kModelKey)),
            "not found: x: holds no tokenizer (`tokenizer.ggml.model`)");
  for (const char* key : {kTokensKey, kMergesKey, kPreKey}) {
    EXPECT_EQ(load_fault(tokenizer_file("gpt2", kNoChange, key)),
              "corrupt: x: key `" + std::string(key) + "` is missing");
  }
  for (const char* key : {kTokensKey, kScoresKey}) {
    EXPECT_EQ(load_fault(tokenizer_file("llama", kNoChange, key)),
              "corrupt: x: key `" + std::string(key) + "` is missing");
  }
}

struct TokenizerFault {
  const char* model;
  const char* left_out;
  Change change;
  const char* said;
};

TEST(GgufTokenizer, BrokenOnesAreNamed) {
  using W = GgufWriter;
  const auto texts = [](const char* key, const std::vector<std::string>& list) -> Change {
    return [=](W& gguf) { gguf.texts(key, list); };
  };
  const auto kinds = [](const std::vector<std::int32_t>& list) -> Change {
    return [=](W& gguf) { gguf.numbers<std::int32_t>(kKindsKey, W::kI32, list); };
  };
  const auto u32 = [](const char* key, std::uint32_t value) -> Change {
    return [=](W& gguf) { gguf.u32(key, value); };
  };
  const auto text = [](const char* key, const char* value) -> Change {
    return [=](W& gguf) { gguf.text(key, value); };
  };
  const std::vector<TokenizerFault> faults = {
      {"bert", "", kNoChange,
       "unsupported: x: unknown `tokenizer.ggml.model` `bert`; known: gpt2, llama"},
      {"gpt2", kPreKey, text(kPreKey, "deepseek-llm"),
       "unsupported: x: unknown `tokenizer.ggml.pre` `deepseek-llm`"},
      {"gpt2", kPreKey, u32(kPreKey, 1), "`tokenizer.ggml.pre` is u32, expected a string"},
      {"gpt2", kModelKey, u32(kModelKey, 1), "`tokenizer.ggml.model` is u32, expected a string"},
      {"gpt2", kTokensKey, text(kTokensKey, "a"), "is string, expected an array of strings"},
      {"gpt2", kTokensKey, texts(kTokensKey, {}), "`tokenizer.ggml.tokens` has 0 entries"},
      {"gpt2", kTokensKey, texts(kTokensKey, {"<s>", "a", "b"}),
       "`tokenizer.ggml.token_type` has 5 entries and `tokenizer.ggml.tokens` 3"},
      {"gpt2", kTokensKey, texts(kTokensKey, {"<s>", "a", "b", "a", "<unk>"}),
       "`tokenizer.ggml.tokens` lists `a` twice"},
      {"gpt2", kTokensKey, texts(kTokensKey, {"<s>", "a", "b", "", "<unk>"}),
       "`tokenizer.ggml.tokens`: token 3 is empty"},
      {"gpt2", kKindsKey, kinds({3, 1, 1, 7, 2}), "`tokenizer.ggml.token_type` holds 7"},
      {"gpt2", kKindsKey, kinds({3, 1, 1, 0, 2}), "`tokenizer.ggml.token_type` holds 0"},
      {"gpt2", kKindsKey, kinds({3, 3, 3, 3, 3}), "`tokenizer.ggml.tokens` has no pieces"},
      {"gpt2", kKindsKey, texts(kKindsKey, {"a"}), "expected an array of whole numbers"},
      {"gpt2", kMergesKey, texts(kMergesKey, {"ab"}),
       "`tokenizer.ggml.merges`: entry 0 is `ab`, expected two pieces"},
      {"gpt2", kMergesKey, texts(kMergesKey, {"a b", "a b c"}), "entry 1 is `a b c`"},
      {"gpt2", kMergesKey, texts(kMergesKey, {"a c"}), "merge 0 needs the piece `c`"},
      {"gpt2", kMergesKey, texts(kMergesKey, {"b a"}), "merge 0 needs the piece `ba`"},
      {"gpt2", "", u32("tokenizer.ggml.eos_token_id", 5),
       "`tokenizer.ggml.eos_token_id` is 5, and there are 5 tokens"},
      {"gpt2", "", text("tokenizer.ggml.eos_token_id", "1"), "expected a whole number"},
      {"gpt2", "", u32("tokenizer.ggml.add_bos_token", 1), "is u32, expected a bool"},
      {"gpt2", "", text("tokenizer.chat_template", "{% if %}"), "x, tokenizer.chat_template"},
      {"gpt2", "", u32("tokenizer.chat_template", 1), "is u32, expected a string"},
      {"gpt2", "",
       [](W& gguf) {
         gguf.text("tokenizer.chat_template", "a");
         gguf.u32("tokenizer.ggml.padding_token_id", 9);
       },
       "`tokenizer.ggml.padding_token_id` is 9, and there are 5 tokens"},
      {"llama", kScoresKey,
       [](W& gguf) {
         gguf.numbers<float>(kScoresKey, W::kF32, {0, -1});
       },
       "`tokenizer.ggml.scores` has 2 entries and `tokenizer.ggml.tokens` 5"},
      {"llama", kScoresKey, texts(kScoresKey, {"a"}), "expected an array of numbers"},
      {"llama", kTokensKey, texts(kTokensKey, {"<s>", "a", "b", "a", "<unk>"}), "corrupt: x: "},
      {"llama", kKindsKey, kinds({3, 1, 1, 1, 1}), "unk"},
      {"llama", "", u32("tokenizer.ggml.precompiled_charsmap", 1),
       "unsupported: x: `tokenizer.ggml.precompiled_charsmap`"},
  };
  for (const TokenizerFault& fault : faults) {
    const std::string said = load_fault(tokenizer_file(fault.model, fault.change, fault.left_out));
    EXPECT_NE(said.find(fault.said), std::string::npos) << fault.said << "\n" << said;
  }
}

}  // namespace
}  // namespace elastic::engine
