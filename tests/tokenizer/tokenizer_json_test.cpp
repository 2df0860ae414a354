// What each key of a tokenizer.json does to ids, and what stands where a key is absent.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/tokenizer/byte_bpe.h"
#include "engine/tokenizer/tokenizer_spec.h"

namespace elastic::engine {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::string_view kPlain = R"({"type": "ByteLevel", "add_prefix_space": false})";

// Parts of a tokenizer.json as text; `rest` are further keys, each with a comma before it.
struct Parts {
  std::string model = R"("vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3}, "merges": ["a b"])";
  std::string pre_tokenizer = std::string(kPlain);
  std::string rest;
};

std::string json_of(const Parts& parts) {
  return R"({"decoder": {"type": "ByteLevel"}, "pre_tokenizer": )" + parts.pre_tokenizer +
         R"(, "model": {)" + parts.model + "}" + parts.rest + "}";
}

Ids encoded(const Parts& parts, std::string_view text, bool add_special = true) {
  return ByteBpe(parse_tokenizer_json(json_of(parts), "t")).encode(text, add_special);
}

std::string error_of(const Parts& parts) {
  try {
    encoded(parts, "ab");
  } catch (const Error& error) {
    return std::string(to_string(error.kind())) + ": " + error.what();
  }
  return "no error";
}

std::string vocabulary(std::string_view merges) {
  return R"("vocab": {"a": 0, "b": 1, "ab": 2}, "merges": )" + std::string(merges);
}

TEST(TokenizerJson, MergesAreTextsOrPairs) {
  for (const char* merges : {R"(["a b"])", R"([["a", "b"]])"}) {
    EXPECT_EQ(encoded({.model = vocabulary(merges)}, "aab"), (Ids{0, 2})) << merges;
  }
  EXPECT_EQ(encoded({.model = R"("vocab": {"a": 0, "b": 1, "ab": 2})"}, "ab"), (Ids{0, 1}));
  EXPECT_EQ(encoded({.model = vocabulary("null")}, "ab"), (Ids{0, 1}));
  const std::string no_pair = " is not a pair: expected \"left right\" or [left, right]";
  for (const char* entry : {R"("ab")", R"("a  b")", R"("a b ")", R"(["a"])", R"(["a", "b", "ab"])",
                            R"(["a", 1])", R"([1, "b"])", "7", "null"}) {
    EXPECT_EQ(error_of({.model = vocabulary(R"(["a b", )" + std::string(entry) + "]")}),
              "corrupt: t: `$.model.merges` entry 1" + no_pair)
        << entry;
  }
  EXPECT_EQ(error_of({.model = vocabulary(R"(["a b", "b a"])")}),
            "corrupt: t: merge 1 needs the piece `ba`, which the vocabulary lacks");
}

TEST(TokenizerJson, KeysOfTheModel) {
  const std::string model = vocabulary(R"(["a b"])") + ", ";
  for (const char* fine :
       {R"("type": "BPE")", R"("type": null)", R"("dropout": null)", R"("dropout": 0)",
        R"("dropout": 0.0)", R"("continuing_subword_prefix": "")", R"("end_of_word_suffix": null)",
        R"("byte_fallback": false)", R"("unk_token": null)", R"("ignore_merges": false)",
        R"("fuse_unk": true)"}) {
    EXPECT_EQ(encoded({.model = model + fine}, "aab"), (Ids{0, 2})) << fine;
  }
  const std::pair<const char*, const char*> wrong[] = {
      {R"("type": "WordPiece")",
       "unsupported: t: `$.model` has type `WordPiece`, which this program does not implement"},
      {R"("type": 7)", "corrupt: t: `$.model.type` is not a string"},
      {R"("dropout": 0.1)", "unsupported: t: `$.model.dropout` is not 0: encoding would be random"},
      {R"("dropout": "0")", "unsupported: t: `$.model.dropout` is not 0: encoding would be random"},
      {R"("continuing_subword_prefix": "##")",
       "unsupported: t: `$.model.continuing_subword_prefix` is set, which this program does not "
       "implement"},
      {R"("end_of_word_suffix": "_")",
       "unsupported: t: `$.model.end_of_word_suffix` is set, which this program does not "
       "implement"},
      {R"("unk_token": "?")", "corrupt: t: `$.model.unk_token` `?` is not in the vocabulary"},
      {R"("byte_fallback": 1)", "corrupt: t: `$.model.byte_fallback` is not true or false"},
  };
  for (const auto& [key, said] : wrong) EXPECT_EQ(error_of({.model = model + key}), said);
}

TEST(TokenizerJson, UnknownBytesAreLeftOutOrGetAnId) {
  const std::string model = R"("vocab": {"a": 0, "?": 1})";
  EXPECT_EQ(encoded({.model = model}, "xaxxa"), (Ids{0, 0}));
  EXPECT_EQ(encoded({.model = model + R"(, "unk_token": "?")"}, "xaxxa"), (Ids{1, 0, 1, 1, 0}));
  EXPECT_EQ(encoded({.model = model + R"(, "unk_token": "?", "fuse_unk": true)"}, "xaxxa"),
            (Ids{1, 0, 1, 0}));
  EXPECT_EQ(encoded({.model = model + R"(, "fuse_unk": true)"}, "xaxxa"), (Ids{0, 0}));
}

TEST(TokenizerJson, ByteLevelAddsABlankUnlessToldNotTo) {
  const std::string model = R"("vocab": {"a": 0, "Ġ": 1, "Ġa": 2}, "merges": ["Ġ a"])";
  EXPECT_EQ(encoded({.model = model, .pre_tokenizer = R"({"type": "ByteLevel"})"}, "a a"),
            (Ids{2, 2}));
  EXPECT_EQ(encoded({.model = model}, "a a"), (Ids{0, 2}));
  EXPECT_EQ(encoded({.model = R"("vocab": {"a": 0, "b": 1, ".": 2, "a.": 3}, "merges": ["a ."])",
                     .pre_tokenizer =
                         R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})"},
                    "a."),
            Ids{3});
}

TEST(TokenizerJson, Normalizers) {
  // e and a combining acute accent; their composition.
  const std::string model = R"("vocab": {"e": 0, "Ì": 1, "ģ": 2, "Ã": 3, "©": 4})";
  EXPECT_EQ(encoded({.model = model}, "e\u0301"), (Ids{0, 1, 2}));
  for (const char* nfc :
       {R"({"type": "NFC"})", R"({"type": "Sequence", "normalizers": [{"type": "NFC"}]})"}) {
    EXPECT_EQ(
        encoded({.model = model, .rest = R"(, "normalizer": )" + std::string(nfc)}, "e\u0301"),
        (Ids{3, 4}));
  }
  EXPECT_EQ(encoded({.model = model, .rest = R"(, "normalizer": null)"}, "e\u0301"),
            (Ids{0, 1, 2}));
  EXPECT_EQ(error_of({.rest = R"(, "normalizer": {"type": "Sequence", "normalizers": [{}]})"}),
            "corrupt: t: `$.normalizer.normalizers` lacks the key `type`");
}

TEST(TokenizerJson, AddedTokensAgreeWithTheVocabulary) {
  const auto added = [](const std::string& list) {
    return Parts{.rest = R"(, "added_tokens": )" + list};
  };
  EXPECT_EQ(
      encoded(added(R"([{"id": 2, "content": "ab"}, {"id": 9, "content": "<x>"}])"), "ab<x>b"),
      (Ids{2, 9, 1}));
  const std::pair<const char*, const char*> wrong[] = {
      {R"([{"id": 2, "content": "<x>"}])",
       "$.added_tokens.0` `<x>` has id 2, which contradicts the vocabulary"},
      {R"([{"id": 9, "content": "<x>"}, {"id": 9, "content": "ab"}])",
       "$.added_tokens.1` `ab` has id 9, which contradicts the vocabulary"},
      {R"([{"id": 9, "content": "<x>"}, {"id": 9, "content": "<y>"}])",
       "$.added_tokens.1` `<y>` with id 9 is listed twice"},
      {R"([{"id": 8, "content": "<x>"}, {"id": 9, "content": "<x>"}])",
       "$.added_tokens.1` `<x>` with id 9 is listed twice"},
      {R"([{"id": -1, "content": "<x>"}])",
       "$.added_tokens.0.id` is -1, outside the ids 0 to 16777215"},
      {R"([{"id": 16777216, "content": "<x>"}])",
       "$.added_tokens.0.id` is 16777216, outside the ids 0 to 16777215"},
      {R"([{"id": 9}])", "$.added_tokens.0` lacks the key `content`"},
      {R"([{"content": "<x>"}])", "$.added_tokens.0` lacks the key `id`"},
      {R"({})", "$.added_tokens` is not a list"},
  };
  for (const auto& [list, said] : wrong) {
    EXPECT_EQ(error_of(added(list)), "corrupt: t: `" + std::string(said)) << list;
  }
  EXPECT_EQ(encoded(added(R"([{"id": 16777215, "content": "<x>"}])"), "<x>"), Ids{16777215});
}

// A post-processor with a template; `single` and `ids` of its one special token <s>.
std::string processor(const std::string& single, const std::string& ids = "[9]") {
  return R"({"type": "TemplateProcessing", "single": )" + single +
         R"(, "special_tokens": {"<s>": {"ids": )" + ids + "}}}";
}
constexpr const char* kText = R"({"Sequence": {"id": "A"}})";
constexpr const char* kToken = R"({"SpecialToken": {"id": "<s>"}})";

Parts processed(const std::string& post_processor) {
  return {.rest = R"(, "added_tokens": [{"id": 9, "content": "<s>"}], "post_processor": )" +
                  post_processor};
}

TEST(TokenizerJson, TemplatesPutTokensAroundTheText) {
  const std::string before = "[" + std::string(kToken) + "," + kText + "]";
  const std::string behind = "[" + std::string(kText) + "," + kToken + "]";
  const std::string both = "[" + std::string(kToken) + "," + kText + "," + kToken + "]";
  const std::string nothing = "[" + std::string(kText) + "]";
  EXPECT_EQ(encoded(processed(processor(before)), "a"), (Ids{9, 0}));
  EXPECT_EQ(encoded(processed(processor(before)), "a", false), (Ids{0}));
  EXPECT_EQ(encoded(processed(processor(behind)), "a"), (Ids{0, 9}));
  EXPECT_EQ(encoded(processed(processor(both, "[9, 1]")), "a"), (Ids{9, 1, 0, 9, 1}));
  EXPECT_EQ(encoded(processed(processor(nothing)), "a"), Ids{0});
  EXPECT_EQ(encoded(processed(R"({"type": "ByteLevel"})"), "a"), Ids{0});
  EXPECT_EQ(encoded(processed("null"), "a"), Ids{0});
  const auto sequence = [](const std::string& first, const std::string& second) {
    return R"({"type": "Sequence", "processors": [{"type": "ByteLevel"}, )" + processor(first) +
           ", " + processor(second) + "]}";
  };
  EXPECT_EQ(encoded(processed(sequence(nothing, behind)), "a"), (Ids{0, 9}));
  for (const std::string& first : {before, behind}) {
    EXPECT_EQ(error_of(processed(sequence(first, nothing))),
              "unsupported: t: `$.post_processor.processors` is a second template");
  }
}

TEST(TokenizerJson, TemplatesHoldTheTextOnce) {
  const std::string token = kToken, text = kText;
  const std::string at = "t: `$.post_processor", once = " must hold the sequence `A` once";
  EXPECT_EQ(error_of(processed(processor("[" + text + "," + text + "]"))),
            "unsupported: " + at + ".single`" + once);
  EXPECT_EQ(error_of(processed(processor(R"([{"Sequence": {"id": "B"}}])"))),
            "unsupported: " + at + ".single`" + once);
  EXPECT_EQ(error_of(processed(processor("[" + token + "]"))),
            "corrupt: " + at + "` has a `single` template without a sequence");
  EXPECT_EQ(error_of(processed(processor("[" + token + "," + text + "]", "[9, 4]"))),
            "corrupt: " + at + ".special_tokens.<s>.ids` names no token: 4");
  EXPECT_EQ(error_of(processed(processor(R"([{"SpecialToken": {"id": "<t>"}}])"))),
            "corrupt: " + at + ".special_tokens` lacks the key `<t>`");
  EXPECT_EQ(error_of(processed(R"({"type": "Roberta"})")),
            "unsupported: " + at + "` has type `Roberta`, which this program does not implement");
}

TEST(TokenizerJson, AChainEndsInByteLevel) {
  const std::string none =
      "unsupported: t: `$` has no ByteLevel pre-tokenizer: only byte-level BPE is implemented for "
      "tokenizer.json; a sentencepiece model goes into tokenizer.model";
  for (const char* chain : {"null", R"({"type": "Digits"})", R"({"type": "Whitespace"})",
                            R"({"type": "Sequence", "pretokenizers": []})",
                            R"({"type": "Sequence", "pretokenizers": [{"type": "Metaspace"}]})",
                            R"({"type": "Punctuation"})", R"({"type": "WhitespaceSplit"})"}) {
    EXPECT_EQ(error_of({.pre_tokenizer = chain}), none) << chain;
  }
  const std::string level(kPlain);
  EXPECT_EQ(
      error_of({.pre_tokenizer =
                    R"({"type": "Sequence", "pretokenizers": [)" + level + "," + level + "]}"}),
      "unsupported: t: `$.pre_tokenizer.pretokenizers` follows ByteLevel, which must be last");
  EXPECT_EQ(
      encoded({.pre_tokenizer = R"({"type": "Sequence", "pretokenizers": [)" + level + "]}"}, "ab"),
      Ids{2});
}

}  // namespace
}  // namespace elastic::engine
