// Which files of a folder make its tokenizer, what its configuration says,
// and vocab.json with merges.txt.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "engine/api/tokenizer.h"
#include "engine/api/tokenizer_trainer.h"
#include "engine/tokenizer/byte_bpe.h"
#include "engine/tokenizer/clean_up.h"
#include "engine/tokenizer/sentencepiece_model.h"
#include "engine/tokenizer/tokenizer_config.h"
#include "engine/tokenizer/tokenizer_spec.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr const char* kVocabulary =
    R"({"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġa": 4, "Ã": 5, "©": 6, "1": 7, "11": 8})";

TokenizerConfig config_of(std::string_view json) { return parse_tokenizer_config(json, "c"); }

template <typename Act>
std::string fault(const Act& act) {
  try {
    act();
  } catch (const Error& error) {
    return std::string(to_string(error.kind())) + ": " + error.what();
  }
  return "no error";
}

TEST(TokenizerFolder, TheFirstOfItsFilesCounts) {
  const elastic::testing::TemporaryFolder folder;
  const auto source = [&] { return Tokenizer::load(folder.path()).source(); };
  const std::string nothing =
      "not found: " + folder.path().string() +
      ": no tokenizer.json, tokenizer.model or vocab.json with merges.txt; copy one from the "
      "checkpoint's source";
  EXPECT_EQ(fault(source), nothing);
  write_file_atomic(folder / "vocab.json", kVocabulary);
  EXPECT_EQ(fault(source), nothing) << "without merges";
  write_file_atomic(folder / "merges.txt", "a b\n");
  write_file_atomic(folder / "tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})");
  EXPECT_EQ(source(), (folder / "vocab.json").string());
  EXPECT_EQ(Tokenizer::load(folder.path()).sha256(),
            sha256_hex(sha256_hex(kVocabulary) + sha256_hex("a b\n")));
  const std::string model =
      read_file(elastic::testing::fixture("tokenizers/sentencepiece-bpe/tokenizer.model"));
  write_file_atomic(folder / "tokenizer.model", model);
  EXPECT_EQ(source(), (folder / "tokenizer.model").string());
  EXPECT_EQ(Tokenizer::load(folder.path()).sha256(), sha256_hex(model));
  const std::string json =
      R"({"decoder": {"type": "ByteLevel"}, "pre_tokenizer": {"type": "ByteLevel"},)"
      R"( "model": {"vocab": )" +
      std::string(kVocabulary) + "}}";
  write_file_atomic(folder / "tokenizer.json", json);
  EXPECT_EQ(source(), (folder / "tokenizer.json").string());
  EXPECT_EQ(Tokenizer::load(folder.path()).sha256(), sha256_hex(json));
}

TEST(TokenizerFolder, OneBosWhateverTheTextBeginsWith) {
  const elastic::testing::TemporaryFolder folder;
  std::filesystem::copy_file(
      elastic::testing::fixture("tokenizers/sentencepiece-bpe/tokenizer.model"),
      folder / "tokenizer.model");
  const auto encoded = [&](const char* config, std::string_view text) {
    write_file_atomic(folder / "tokenizer_config.json", config);
    return encode_single_bos(Tokenizer::load(folder.path()), text);
  };
  EXPECT_EQ(encoded("{}", "<s>"), Ids{1});
  EXPECT_EQ(encoded("{}", "<s><s>"), (Ids{1, 1})) << "the text's own second one stays";
  EXPECT_EQ(encoded("{}", ""), Ids{1});
  EXPECT_EQ(encoded("{}", "</s>"), (Ids{1, 2}));
  EXPECT_EQ(encoded(R"({"add_bos_token": false})", "<s><s>"), (Ids{1, 1}));
  EXPECT_EQ(encoded(R"({"add_bos_token": false})", ""), Ids{});
}

std::string summary(const TokenizerConfig& c) {
  std::string out = c.tokenizer_class + ":";
  for (const auto& [set, letter] : {std::pair(c.found, 'F'),
                                    {c.add_bos, 'B'},
                                    {c.add_eos, 'E'},
                                    {c.add_prefix_space, 'P'},
                                    {c.legacy, 'L'},
                                    {c.clean_up_spaces, 'C'}}) {
    if (set) out += letter;
  }
  for (const AddedToken& t : c.added_tokens) {
    out += " " + std::to_string(t.id) + t.content;
    for (const auto& [set, letter] : {std::pair(t.special, 's'),
                                      {t.normalized, 'n'},
                                      {t.single_word, 'w'},
                                      {t.lstrip, 'l'},
                                      {t.rstrip, 'r'}}) {
      if (set) out += letter;
    }
  }
  return out;
}

TEST(TokenizerConfig, EveryKey) {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", ":FB"},
      {R"({"add_bos_token": false, "add_eos_token": true})", ":FE"},
      {R"({"add_bos_token": null, "add_prefix_space": true, "legacy": true})", ":FBPL"},
      {R"({"clean_up_tokenization_spaces": true})", ":FBC"},
      {R"({"clean_up_tokenization_spaces": true, "tokenizer_class": "LlamaTokenizer"})",
       "LlamaTokenizer:FBC"},
      {R"({"clean_up_tokenization_spaces": true, "tokenizer_class": "GPT2TokenizerFast"})",
       "GPT2TokenizerFast:FB"},
      {R"({"added_tokens_decoder": {"0": {"content": "<a>"}, "16777215": {"content": "<b>",
           "special": true, "normalized": true, "single_word": true, "lstrip": true,
           "rstrip": true}}})",
       ":FB 0<a> 16777215<b>snwlr"},
      {R"({"added_tokens_decoder": {"1": {"content": "x", "special": true}, "2": {"content": "y",
           "normalized": true}, "3": {"content": "z", "single_word": true}, "4": {"content": "u",
           "lstrip": true}, "5": {"content": "v", "rstrip": true}}})",
       ":FB 1xs 2yn 3zw 4ul 5vr"},
  };
  for (const auto& [json, expected] : cases) EXPECT_EQ(summary(config_of(json)), expected) << json;
  const elastic::testing::TemporaryFolder folder;
  const TokenizerConfig absent = read_tokenizer_config(folder / "none.json");
  EXPECT_EQ(summary(absent), ":B");
  EXPECT_EQ(absent.source, (folder / "none.json").string());
  for (const char* id : {"-1", "16777216", "x", "", "1x", "99999999999999999999"}) {
    const std::string json =
        R"({"added_tokens_decoder": {")" + std::string(id) + R"(": {"content": "<a>"}}})";
    EXPECT_EQ(fault([&] { config_of(json); }), "corrupt: c: `$.added_tokens_decoder." +
                                                   std::string(id) +
                                                   "` has a key that is no token id");
  }
}

TokenizerSpec spec_of(std::string_view merges, std::string_view config) {
  return parse_vocab_and_merges(kVocabulary, "v", merges, "m", config_of(config));
}

constexpr const char* kGpt2 = R"({"tokenizer_class": "GPT2Tokenizer"})";
constexpr const char* kQwen = R"({"tokenizer_class": "Qwen2Tokenizer"})";

TEST(VocabAndMerges, LinesOfMerges) {
  const auto merges = [](std::string_view text) { return spec_of(text, kGpt2).merges.size(); };
  EXPECT_EQ(merges(""), 0U);
  EXPECT_EQ(merges("a b"), 1U);
  EXPECT_EQ(merges("#version: 0.2\r\na b\r\n\r\n\u0120 a\n"), 2U);
  EXPECT_EQ(merges("\na b\n\n"), 1U);
  const auto wrong = [](std::string_view text) { return fault([&] { spec_of(text, kGpt2); }); };
  EXPECT_EQ(wrong("a b\n#version x y\n"), "corrupt: m: line 2 is not `left right`: `#version x y`");
  EXPECT_EQ(wrong("ab"), "corrupt: m: line 1 is not `left right`: `ab`");
  EXPECT_EQ(wrong("a  b"), "corrupt: m: line 1 is not `left right`: `a  b`");
  EXPECT_EQ(wrong("\n" + std::string(90, 'a')),
            "corrupt: m: line 2 is not `left right`: `" + std::string(80, 'a') + "`");
  EXPECT_EQ(wrong("a b\na c"),
            "corrupt: m: merge 1 needs the piece `c`, which the vocabulary lacks");
}

TEST(VocabAndMerges, TheClassSaysHowTextIsCut) {
  const auto ids = [](const char* config, std::string_view text) {
    return ByteBpe(spec_of("a b\n\u0120 a\n1 1\n", config)).encode(text, true);
  };
  EXPECT_EQ(ids(kGpt2, "ab a11"), (Ids{2, 4, 8}));
  EXPECT_EQ(ids(kQwen, "ab a11"), (Ids{2, 4, 7, 7})) << "digits stand alone";
  EXPECT_EQ(ids(R"({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": true})", "a"), Ids{4});
  EXPECT_EQ(ids(R"({"tokenizer_class": "Qwen2TokenizerFast", "add_prefix_space": true})", "a"),
            Ids{4});
  const auto accent = [](const char* config) {
    return parse_vocab_and_merges(R"({"e": 0})", "v", "", "m", config_of(config)).nfc;
  };
  EXPECT_TRUE(accent(kQwen));
  EXPECT_FALSE(accent(kGpt2));
  EXPECT_EQ(fault([] { spec_of("", "{}"); }),
            "corrupt: c: `tokenizer_class` is missing; without it vocab.json and merges.txt do not "
            "say how text is cut");
  EXPECT_EQ(fault([] { spec_of("", R"({"tokenizer_class": "BertTokenizer"})"); }),
            "unsupported: c: `tokenizer_class` BertTokenizer with vocab.json and merges.txt only; "
            "known without a tokenizer.json: Qwen2Tokenizer, GPT2Tokenizer");
}

TEST(VocabAndMerges, AddedTokensAgreeWithTheVocabulary) {
  const auto added = [](const std::string& list) {
    return spec_of("",
                   R"({"tokenizer_class": "GPT2Tokenizer", "added_tokens_decoder": )" + list + "}");
  };
  EXPECT_EQ(added(R"({"2": {"content": "ab"}, "9": {"content": "<x>"}})").added_tokens.size(), 2U);
  EXPECT_EQ(fault([&] { added(R"({"2": {"content": "<x>"}})"); }),
            "corrupt: c: `added_tokens_decoder` calls token 2 `<x>`, and v `ab`");
  const std::pair<const char*, const char*> wrong[] = {
      {R"({"a": 0, "b": 0})", "corrupt: v: `$` gives id 0 to two pieces, one is `b`"},
      {R"({"a": 0, "a": 1})", "corrupt: v: `$` lists the piece `a` twice"},
      {R"({"a": -1})", "corrupt: v: `$.a` is -1, outside the ids 0 to 16777215"},
      {R"({"a": 16777216})", "corrupt: v: `$.a` is 16777216, outside the ids 0 to 16777215"},
      {R"({"a": "0"})", "corrupt: v: `$.a` is not a whole number"},
      {"{}", "corrupt: v: `$` is empty"},
      {"[]", "corrupt: v: `$` is not an object"},
  };
  for (const auto& [vocabulary, said] : wrong) {
    EXPECT_EQ(fault([&] { parse_vocab_and_merges(vocabulary, "v", "", "m", config_of(kGpt2)); }),
              said);
  }
  EXPECT_EQ(
      parse_vocab_and_merges(R"({"a": 16777215})", "v", "", "m", config_of(kGpt2)).pieces.find("a"),
      16777215);
}

TEST(CleanUp, EveryReplacementInOrder) {
  EXPECT_EQ(clean_up_spaces("a . b ? c ! d , e ' f n't 'm 's 've 're x.y"),
            "a. b? c! d, e'fn't'm's've're x.y");
}

TEST(TokenizerTraining, SymbolsAndDigitsAreTheirOwn) {
  const std::string model =
      train_tokenizer({.vocab_size = 280, .user_symbols = {" and", "\"", ",", "\n"}},
                      {"the cat and the hat, \"12 and 21\"", "the  hat and\nthe cat"});
  const SentencepieceModel tokenizer(model, "m", {});
  EXPECT_EQ(tokenizer.vocab_size(), 280);
  EXPECT_EQ(tokenizer.piece_id("<unk>"), 0);
  EXPECT_EQ(tokenizer.piece_id("<s>"), 1);
  EXPECT_EQ(tokenizer.piece_id("</s>"), 2);
  const char* symbols[] = {"\u2581and", "\"", ",", "\n"};
  for (std::int32_t i = 0; i < 4; ++i) EXPECT_EQ(tokenizer.piece_id(symbols[i]), 3 + i);
  EXPECT_EQ(tokenizer.piece_id("<0x00>"), 7);
  EXPECT_EQ(tokenizer.piece_id("12"), std::nullopt);
  const std::string text = "the  hat and 12 \u6c49";
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, true), true), text) << "every blank is kept";
  EXPECT_TRUE(fault([] { train_tokenizer({.vocab_size = 100000}, {"a b"}); })
                  .starts_with("invalid argument: a tokenizer of 100000 pieces cannot be trained "
                               "on 1 lines: "));
}

}  // namespace
}  // namespace elastic::engine
