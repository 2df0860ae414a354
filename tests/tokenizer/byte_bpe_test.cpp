#include "engine/tokenizer/byte_bpe.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/utf8.h"
#include "engine/tokenizer/tokenizer_spec.h"

namespace elastic::engine {
namespace {

using Ids = std::vector<std::int32_t>;

Ids encode(const std::string& model, std::string_view text) {
  const std::string json = R"({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},)"
                           R"( "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", )" +
                           model + "}}";
  return ByteBpe(parse_tokenizer_json(json, "test")).encode(text, false);
}

TEST(ByteBpe, UnknownBytesAreOneTokenEachOrFused) {
  const std::string model =
      R"("merges": [], "unk_token": "?", "vocab": {"a": 0, "?": 1}, "fuse_unk": )";
  EXPECT_EQ(encode(model + "false", "axxaxxx"), (Ids{0, 1, 1, 0, 1, 1, 1}));
  EXPECT_EQ(encode(model + "true", "axxaxxx"), (Ids{0, 1, 0, 1}));
}

TEST(ByteBpe, APieceThatNoMergeMakesIsUsedWhereMergesAreIgnored) {
  const std::string model =
      R"("merges": [], "vocab": {"a": 0, "b": 1, "ab": 2}, "ignore_merges": )";
  EXPECT_EQ(encode(model + "false", "ab"), (Ids{0, 1}));
  EXPECT_EQ(encode(model + "true", "ab"), Ids{2});
}

// GPT-2's stand-ins of the bytes: those that print as Latin-1 do, the others U+0100 on.
std::string stand_in(unsigned byte) {
  static const std::string kPrinted =
      "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz"
      "{|}~\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xae\xaf\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7"
      "\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb\xcc\xcd\xce"
      "\xcf"
      "\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf\xe0\xe1\xe2\xe3\xe4\xe5\xe6"
      "\xe7"
      "\xe8\xe9\xea\xeb\xec\xed\xee\xef\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe"
      "\xff";
  unsigned others = 0;
  for (unsigned b = 0; b < byte; ++b) {
    others += kPrinted.find(static_cast<char>(b)) == std::string::npos ? 1 : 0;
  }
  std::string text;
  const bool printed = kPrinted.find(static_cast<char>(byte)) != std::string::npos;
  append_utf8(text, printed ? byte : 0x100 + others);
  return text;
}

// Every byte has the id 1000 - byte; more pieces and merges follow.
Json bytes_and(const std::vector<std::pair<std::string, std::int32_t>>& pieces = {},
               const std::vector<std::string>& merges = {}) {
  Json vocabulary = Json::object();
  for (unsigned byte = 0; byte < 256; ++byte) vocabulary[stand_in(byte)] = 1000 - byte;
  for (const auto& [piece, id] : pieces) vocabulary[piece] = id;
  return {{"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"vocab", vocabulary}, {"merges", merges}}}};
}

ByteBpe model_of(const Json& json) { return ByteBpe(parse_tokenizer_json(json.dump(), "t")); }

Ids ids_of_bytes(std::string_view text) {
  Ids ids;
  for (const char c : text) ids.push_back(1000 - static_cast<unsigned char>(c));  // NOLINT: short
  return ids;
}

TEST(ByteBpe, EveryByteHasItsStandIn) {
  const ByteBpe model = model_of(bytes_and());
  for (std::uint32_t c = 0; c < 0x110000; c += c < 0x1000 ? 1 : 97) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text = "a";
    append_utf8(text, c);
    ASSERT_EQ(model.encode(text, true), ids_of_bytes(text)) << c;
    ASSERT_EQ(model.decode(ids_of_bytes(text), false), text) << c;
    ASSERT_EQ(model.count(text), static_cast<std::int64_t>(text.size())) << c;
  }
  EXPECT_EQ(model.decode(Ids{1000 - 0xff, 1000 - 'a', 1000 - 0xc3}, false), "\ufffda\ufffd");
  EXPECT_EQ(model.decode(Ids{-1, 7, 1000 - 'a', 1001, 1 << 30}, false), "a") << "no such ids";
  EXPECT_EQ(model.vocab_size(), 1001);
}

TEST(ByteBpe, MergesOfAnyTwoBytes) {
  std::vector<std::string> merges;
  std::vector<std::pair<std::string, std::int32_t>> pieces;
  for (unsigned byte = 0x80; byte < 0xc0; ++byte) {
    merges.push_back(stand_in(0xc3) + " " + stand_in(byte));  // NOLINT: a few
    pieces.emplace_back(stand_in(0xc3) + stand_in(byte), 2000 + byte);
  }
  const ByteBpe model = model_of(bytes_and(pieces, merges));
  for (std::uint32_t c = 0xc0; c < 0x100; ++c) {
    std::string text;
    append_utf8(text, c);
    EXPECT_EQ(model.encode(text, false), Ids{static_cast<std::int32_t>(2000 + c - 0x40)});
    EXPECT_EQ(model.decode(model.encode(text, false), false), text);
  }
}

// Of long words too, whose parts between which nothing merges are encoded one by one.
TEST(ByteBpe, WordsAreTheMergesOfTheirParts) {
  const ByteBpe model = model_of(bytes_and({{"ab", 1}, {"abab", 2}, {"ba", 3}}, {"a b", "ab ab"}));
  for (const int repeats : {1, 7, 8, 15, 16, 31, 40}) {
    std::string text = "ababc";
    Ids expected = {2, 1000 - 'c'};
    for (int i = 1; i < repeats; ++i) {  // ab ab ab c is abab ab c
      text += "abababc";
      expected.insert(expected.end(), {2, 1, 1000 - 'c'});
    }
    for (int again = 0; again < 2; ++again) {
      EXPECT_EQ(model.encode(text, false), expected) << repeats;
      EXPECT_EQ(model.count(text), static_cast<std::int64_t>(expected.size()));
    }
  }
}

TEST(ByteBpe, APieceTakenWholeIsNoPartOfALongerWord) {
  Json json = bytes_and({{"ba", 3}, {"bac", 4}});
  json["model"]["ignore_merges"] = true;
  const ByteBpe model = model_of(json);
  const Ids a = ids_of_bytes("a"), b = ids_of_bytes("b");
  EXPECT_EQ(model.encode("ba", false), Ids{3});
  EXPECT_EQ(model.encode("bad", false), ids_of_bytes("bad"));
  EXPECT_EQ(model.encode("ba", false), Ids{3}) << "though a part of a word was just that";
  EXPECT_EQ(model.encode("bac", false), Ids{4});
}

TEST(ByteBpe, PiecesThatStandForNoBytes) {
  const ByteBpe model = model_of(bytes_and({{"\u6c49", 1}, {"\u0144", 2}, {"a\u0200", 3}}));
  EXPECT_EQ(model.encode("\u6c49", false), ids_of_bytes("\u6c49"));
  EXPECT_EQ(model.decode(Ids{1, 2, 3}, false), "\u6c49\u0144a\u0200");
  EXPECT_EQ(model.piece_id("\u6c49"), 1);
  EXPECT_EQ(model.piece_id("\u6c50"), std::nullopt);
}

TEST(ByteBpe, AddedTokens) {
  Json json = bytes_and();
  json["added_tokens"] = {{{"id", 3}, {"content", "<s>"}, {"special", true}},
                          {{"id", 5}, {"content", "<t>"}},
                          {{"id", 7}, {"content", "e\u0301"}, {"normalized", true}},
                          {{"id", 1001}, {"content", "<u>"}, {"special", true}}};
  json["normalizer"] = {{"type", "NFC"}};
  const ByteBpe model = model_of(json);
  EXPECT_EQ(model.special_ids(), (Ids{3, 1001}));
  EXPECT_EQ(model.vocab_size(), 1002);
  EXPECT_EQ(model.piece_id("<t>"), 5);
  EXPECT_EQ(model.bos_id(), std::nullopt);
  EXPECT_EQ(model.encode("<s><t>\u00e9<u>e\u0301", false), (Ids{3, 5, 7, 1001, 7}));
  EXPECT_EQ(model.count("<s><t>\u00e9<u>e\u0301"), 5);
  EXPECT_EQ(model.decode(Ids{3, 5, 1001, 1000 - 'a'}, false), "<s><t><u>a");
  EXPECT_EQ(model.decode(Ids{3, 5, 1001, 1000 - 'a'}, true), "<t>a");
}

// A prefix of the first word only: none behind an added token, before or after normalization.
TEST(ByteBpe, TheFirstWordIsTheTexts) {
  Json json = bytes_and({{"_", 4}});
  json["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "first"}},
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
  json["normalizer"] = {{"type", "NFC"}};
  json["added_tokens"] = {{{"id", 3}, {"content", "<s>"}},
                          {{"id", 5}, {"content", "<n>"}, {"normalized", true}}};
  const ByteBpe model = model_of(json);
  const auto text_of = [&](std::string_view text) {
    return model.decode(model.encode(text, false), false);
  };
  EXPECT_EQ(text_of("a"), "_a");
  EXPECT_EQ(text_of("a<s>b<n>c"), "_a<s>b<n>c");
  EXPECT_EQ(text_of("<s>b"), "<s>b");
  EXPECT_EQ(text_of("<n>b"), "<n>b");
  EXPECT_EQ(text_of("e\u0301<n>e\u0301<s>e\u0301"), "_\u00e9<n>\u00e9<s>\u00e9");
}

}  // namespace
}  // namespace elastic::engine
