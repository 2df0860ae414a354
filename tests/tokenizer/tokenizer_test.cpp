// Behaviour that the vectors do not show: long words, threads, odd bytes, clean-up, folder choices.

#include "engine/api/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "engine/tokenizer/clean_up.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::int32_t>;

Tokenizer load(std::string_view name) {
  return Tokenizer::load(elastic::testing::fixture("tokenizers") / name);
}

TEST(Tokenizer, AMegabyteOfOneWordIsNotQuadratic) {
  for (const char* name : {"bpe-template", "sentencepiece-bpe"}) {
    const Tokenizer tokenizer = load(name);
    std::string word;
    while (word.size() < 1'000'000) word += "theriverbendsunder";
    const auto ids = tokenizer.encode(word, false);  // quadratic time would run into the time limit
    EXPECT_EQ(tokenizer.decode(ids), word) << name;
    EXPECT_EQ(tokenizer.count(word), static_cast<std::int64_t>(ids.size())) << name;
  }
}

TEST(Tokenizer, ThreadsShareOne) {
  const Tokenizer tokenizer = load("bpe-added-flags");
  const std::string text = "The river bends <l> under 42 willows, stone by stone. ";
  const auto expected = tokenizer.encode(text);
  std::vector<std::thread> threads;
  std::vector<int> wrong(8);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        tokenizer.encode("filler " + std::to_string(t * 1000 + static_cast<std::size_t>(i)));
        if (tokenizer.encode(text) != expected) ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(8));
}

TEST(Tokenizer, IllFormedBytesBecomeReplacementCharacters) {
  for (const char* name : {"bpe-template", "sentencepiece-bpe"}) {
    const Tokenizer tokenizer = load(name);
    EXPECT_EQ(tokenizer.encode("a\xFF\xE2\x82z"), tokenizer.encode("a\uFFFD\uFFFDz")) << name;
  }
}

TEST(Tokenizer, CleanUpFollowsConfigUnlessForced) {
  const fs::path original = elastic::testing::fixture("tokenizers/bpe-template/tokenizer.json");
  const elastic::testing::TemporaryFolder folder;
  fs::copy_file(original, folder / "tokenizer.json");
  const std::string text = "the . bends , don 't n't 've";
  const auto decoded = [&](DecodeOptions options) {
    const Tokenizer tokenizer = Tokenizer::load(folder.path());
    return tokenizer.decode(tokenizer.encode(text, false), options);
  };
  EXPECT_EQ(decoded({}), text);
  EXPECT_EQ(decoded({.clean_up_spaces = true}), "the. bends, don 'tn't've");
  write_file_atomic(folder / "tokenizer_config.json", R"({"clean_up_tokenization_spaces": true})");
  EXPECT_EQ(decoded({}), "the. bends, don 'tn't've");
  EXPECT_EQ(decoded({.clean_up_spaces = false}), text);
}

TEST(Tokenizer, SpecialsAreKnown) {
  const Tokenizer bpe = load("bpe-template");
  ASSERT_TRUE(bpe.bos_id());
  EXPECT_EQ(bpe.bos_id(), bpe.piece_id("<|begin|>"));
  EXPECT_EQ(bpe.special_ids().size(), 2u);
  EXPECT_EQ(bpe.piece_id("no such piece"), std::nullopt);
  const Tokenizer sp = load("sentencepiece-bpe");
  EXPECT_EQ(sp.bos_id(), 1);
  EXPECT_EQ(sp.encode("x").front(), 1);
}

TEST(Tokenizer, SentencepieceConfigTurnsBosOff) {
  const elastic::testing::TemporaryFolder folder;
  fs::copy_file(elastic::testing::fixture("tokenizers/sentencepiece-bpe/tokenizer.model"),
                folder / "tokenizer.model");
  write_file_atomic(folder / "tokenizer_config.json",
                    R"({"add_bos_token": false, "add_eos_token": true})");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.bos_id(), std::nullopt);
  EXPECT_EQ(tokenizer.encode("").size(), 1u);
  EXPECT_EQ(tokenizer.encode("x").back(), 2);
}

// Beyond the stored cases: what the configuration says of control and added tokens.
TEST(Tokenizer, SentencepieceTokensWrittenOut) {
  const elastic::testing::TemporaryFolder folder;
  fs::copy_file(elastic::testing::fixture("tokenizers/sentencepiece-bpe/tokenizer.model"),
                folder / "tokenizer.model");
  const auto ids = [&](std::string_view text) {
    return Tokenizer::load(folder.path()).encode(text, false);
  };
  EXPECT_EQ(ids("<s>"), (Ids{366, 64, 369, 66}));  // sentencepiece's own
  write_file_atomic(folder / "tokenizer_config.json", "{}");
  EXPECT_EQ(ids("<s>"), Ids{1});
  EXPECT_EQ(ids("<s>hello"), (Ids{1, 260, 275, 368}));
  write_file_atomic(folder / "tokenizer_config.json", R"({"legacy": true})");
  EXPECT_EQ(ids("<s>hello"), (Ids{1, 366, 260, 275, 368}));
  EXPECT_EQ(ids("<s> hello"), (Ids{1, 366, 260, 275, 368}));
  write_file_atomic(folder / "tokenizer_config.json",
                    R"({"added_tokens_decoder": {"1": {"content": "<s>", "special": true},
                        "431": {"content": "<|im_start|>", "special": true},
                        "430": {"content": "<note>"}}})");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  const Ids encoded = tokenizer.encode("a<|im_start|> a<note>", false);
  EXPECT_EQ(encoded, (Ids{309, 431, 309, 430}));
  EXPECT_EQ(tokenizer.count("a<|im_start|> a<note>"), 4);
  EXPECT_EQ(tokenizer.decode(encoded), "a<|im_start|> a<note>");
  EXPECT_EQ(tokenizer.decode(encoded, {.skip_special = true}), "a a<note>");
  EXPECT_EQ(tokenizer.vocab_size(), 432);
  EXPECT_EQ(tokenizer.piece_id("<|im_start|>"), 431);
  EXPECT_EQ(tokenizer.special_ids(), (Ids{0, 1, 2, 431}));
  write_file_atomic(folder / "tokenizer_config.json",
                    R"({"added_tokens_decoder": {"5": {"content": "<other>"}}})");
  EXPECT_THROW(Tokenizer::load(folder.path()), Error);
}

TEST(Tokenizer, VocabAndMergesMakeATokenizer) {
  const elastic::testing::TemporaryFolder folder;
  write_file_atomic(folder / "vocab.json", R"({"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġab": 4})");
  write_file_atomic(folder / "merges.txt", "#version: 0.2\na b\nĠ ab\n");
  write_file_atomic(folder / "tokenizer_config.json",
                    R"({"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": false,
                        "added_tokens_decoder": {"9": {"content": "<x>", "special": true}}})");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.encode("ab ab<x>ba"), (std::vector<std::int32_t>{2, 4, 9, 1, 0}));
  EXPECT_EQ(tokenizer.decode(std::vector<std::int32_t>{4, 9}, {.skip_special = true}), " ab");
  EXPECT_EQ(tokenizer.vocab_size(), 10);
}

}  // namespace
}  // namespace elastic::engine
