// Damaged and foreign tokenizer files: each ends in an Error of the right kind that names the file
// and what is wrong.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "engine/api/tokenizer.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

const std::string kGood =
    R"({"added_tokens": [{"id": 3, "content": "<s>", "special": true}], "normalizer": {"type": "NFC"},)"
    R"( "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},)"
    R"( "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}},)"
    R"( {"Sequence": {"id": "A"}}], "special_tokens": {"<s>": {"ids": [3]}}},)"
    R"( "decoder": {"type": "ByteLevel"},)"
    R"( "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})";

struct JsonCase {
  const char* from;  // replaced in kGood
  const char* to;
  ErrorKind kind;
  const char* named;  // must be in the message
};

const std::vector<JsonCase> kJsonCases = {
    {"{\"added", "[\"added", ErrorKind::kCorrupt, "not valid JSON"},
    {"\"merges\": [\"a b\"]}}", "\"merges\": [\"a b", ErrorKind::kCorrupt, "not valid JSON"},
    {"\"a\": 0", "\"\xFF\": 0", ErrorKind::kCorrupt, "not valid JSON"},
    {"\"a\": 0", "\"\\ud800\": 0", ErrorKind::kCorrupt, "not valid JSON"},
    {"\"vocab\"", "\"words\"", ErrorKind::kCorrupt, "`vocab`"},
    {"{\"a\": 0, \"b\": 1, \"ab\": 2}", "[\"a\"]", ErrorKind::kCorrupt, "is not an object"},
    {"{\"a\": 0, \"b\": 1, \"ab\": 2}", "{}", ErrorKind::kCorrupt, "is empty"},
    {"\"a\": 0", "\"a\": -1", ErrorKind::kCorrupt, "outside the ids"},
    {"\"a\": 0", "\"a\": 2147483647", ErrorKind::kCorrupt, "outside the ids"},
    {"\"a\": 0", "\"a\": 1e300", ErrorKind::kCorrupt, "whole number"},
    {"\"a\": 0", "\"a\": \"0\"", ErrorKind::kCorrupt, "whole number"},
    {"\"a\": 0", "\"a\": 1", ErrorKind::kCorrupt, "id 1"},
    {"\"a\": 0", "\"a\": 0, \"a\": 7", ErrorKind::kCorrupt, "twice"},
    {"[\"a b\"]", "[\"a c\"]", ErrorKind::kCorrupt, "`c`"},
    {"[\"a b\"]", "[\"b a\"]", ErrorKind::kCorrupt, "`ba`"},
    {"[\"a b\"]", "[\"ab\"]", ErrorKind::kCorrupt, "entry 0"},
    {"[\"a b\"]", "[\"a b ab\"]", ErrorKind::kCorrupt, "entry 0"},
    {"[\"a b\"]", "[[\"a\"]]", ErrorKind::kCorrupt, "entry 0"},
    {"[\"a b\"]", "{\"a\": \"b\"}", ErrorKind::kCorrupt, "is not a list"},
    {"\"type\": \"BPE\"", "\"type\": \"Unigram\"", ErrorKind::kUnsupported, "Unigram"},
    {"\"type\": \"BPE\"", "\"type\": \"BPE\", \"dropout\": 0.1", ErrorKind::kUnsupported,
     "dropout"},
    {"\"type\": \"BPE\"", "\"end_of_word_suffix\": \"</w>\"", ErrorKind::kUnsupported, "suffix"},
    {"\"type\": \"BPE\"", "\"byte_fallback\": true", ErrorKind::kUnsupported, "byte_fallback"},
    {"\"type\": \"BPE\"", "\"unk_token\": \"<u>\"", ErrorKind::kCorrupt, "<u>"},
    {"\"type\": \"BPE\"", "\"ignore_merges\": 1", ErrorKind::kCorrupt, "ignore_merges"},
    {"\"NFC\"", "\"NFKC\"", ErrorKind::kUnsupported, "NFKC"},
    {"{\"type\": \"NFC\"}", "7", ErrorKind::kCorrupt, "normalizer"},
    {"{\"type\": \"ByteLevel\", \"add", "{\"type\": \"UnicodeScripts\", \"add",
     ErrorKind::kUnsupported, "UnicodeScripts"},
    {"{\"type\": \"ByteLevel\", \"add_prefix_space\": false}",
     R"({"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"})",
     ErrorKind::kUnsupported, "ByteLevel"},
    {"{\"type\": \"ByteLevel\", \"add_prefix_space\": false}",
     R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "(a"},)"
     R"( "behavior": "Isolated"}, {"type": "ByteLevel", "add_prefix_space": false}]})",
     ErrorKind::kUnsupported, "`(a`"},
    {"{\"type\": \"ByteLevel\", \"add_prefix_space\": false}",
     R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "a"},)"
     R"( "behavior": "Glued"}, {"type": "ByteLevel", "add_prefix_space": false}]})",
     ErrorKind::kCorrupt, "Glued"},
    {"{\"type\": \"ByteLevel\", \"add_prefix_space\": false}",
     R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"})", ErrorKind::kCorrupt,
     "last"},
    {"{\"type\": \"ByteLevel\", \"add_prefix_space\": false}",
     R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]})",
     ErrorKind::kUnsupported, "last"},
    {"{\"type\": \"ByteLevel\", \"add_prefix_space\": false}", "null", ErrorKind::kUnsupported,
     "pre-tokenizer"},
    {"\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": {\"type\": \"WordPiece\"}",
     ErrorKind::kUnsupported, "WordPiece"},
    {"\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": null", ErrorKind::kUnsupported,
     "decoder"},
    {"TemplateProcessing", "BertProcessing", ErrorKind::kUnsupported, "BertProcessing"},
    {"\"ids\": [3]", "\"ids\": [77]", ErrorKind::kCorrupt, "77"},
    {"{\"<s>\": {\"ids\"", "{\"<t>\": {\"ids\"", ErrorKind::kCorrupt, "<s>"},
    {"{\"Sequence\": {\"id\": \"A\"}}", "{\"Sequence\": {\"id\": \"B\"}}", ErrorKind::kUnsupported,
     "`A`"},
    {"\"id\": 3, \"content\"", "\"id\": 1, \"content\"", ErrorKind::kCorrupt, "contradicts"},
    {"\"id\": 3, \"content\": \"<s>\"", "\"id\": 3, \"content\": \"a\"", ErrorKind::kCorrupt,
     "contradicts"},
    {"[{\"id\": 3,", "[{\"id\": 3, \"content\": \"x\"}, {\"id\": 3,", ErrorKind::kCorrupt, "twice"},
    {"\"special\": true", "\"special\": \"yes\"", ErrorKind::kCorrupt, "special"},
};

void expect_error(const std::filesystem::path& folder, ErrorKind kind, std::string_view named) {
  try {
    Tokenizer::load(folder);
    ADD_FAILURE() << "loaded";
  } catch (const Error& error) {
    EXPECT_EQ(to_string(error.kind()), to_string(kind)) << error.what();
    EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(folder.string()), std::string::npos) << error.what();
  }
}

TEST(MalformedTokenizer, TheUndamagedFileLoads) {
  const elastic::testing::TemporaryFolder folder;
  write_file_atomic(folder / "tokenizer.json", kGood);
  EXPECT_EQ(Tokenizer::load(folder.path()).encode("aab"), (std::vector<std::int32_t>{3, 0, 2}));
}

TEST(MalformedTokenizer, JsonTable) {
  for (const JsonCase& entry : kJsonCases) {
    SCOPED_TRACE(entry.to);
    const elastic::testing::TemporaryFolder folder;
    const std::string text = replace_all(kGood, entry.from, entry.to);
    ASSERT_NE(text, kGood);
    write_file_atomic(folder / "tokenizer.json", text);
    expect_error(folder.path(), entry.kind, entry.named);
  }
}

TEST(MalformedTokenizer, NestingIsBounded) {
  const elastic::testing::TemporaryFolder folder;
  for (const char* open : {"[", "{\"a\":"}) {
    std::string text;
    for (int i = 0; i < 200000; ++i) text += open;
    write_file_atomic(folder / "tokenizer.json", text);
    expect_error(folder.path(), ErrorKind::kCorrupt, "not valid JSON");
  }
  std::string nested = R"({"type": "NFC"})";
  for (int i = 0; i < 300; ++i) {
    nested = R"({"type": "Sequence", "normalizers": [)" + nested + "]}";
  }
  write_file_atomic(folder / "tokenizer.json", replace_all(kGood, R"({"type": "NFC"})", nested));
  EXPECT_NO_THROW(Tokenizer::load(folder.path()));
}

TEST(MalformedTokenizer, SentencepieceFiles) {
  const std::string good =
      read_file(elastic::testing::fixture("tokenizers/sentencepiece-bpe/tokenizer.model"));
  const elastic::testing::TemporaryFolder folder;
  const auto expect = [&](std::string_view bytes, std::string_view named) {
    write_file_atomic(folder / "tokenizer.model", bytes);
    expect_error(folder.path(), ErrorKind::kCorrupt, named);
  };
  expect("", "lacks pieces");
  expect(std::string_view(good).substr(0, good.size() - 1), "ends in the middle");
  expect(std::string_view(good).substr(0, good.size() / 2), "fetch the file again");
  expect("IQ== 0\nIg== 1\nIw== 2\n", "sentencepiece model");  // a rank file of tiktoken
  expect("{\"model\": 1}", "sentencepiece model");
  expect(std::string("\x0A\x04\x0A\x02"
                     "ab",
                     6),
         "lacks its settings");
  expect(std::string(40, '\xFF'), "sentencepiece model");
}

TEST(MalformedTokenizer, ConfigAndFolder) {
  const elastic::testing::TemporaryFolder folder;
  expect_error(folder.path(), ErrorKind::kNotFound, "tokenizer.json");
  expect_error(folder / "absent", ErrorKind::kNotFound, "absent");
  write_file_atomic(folder / "tokenizer.json", kGood);
  write_file_atomic(folder / "tokenizer_config.json", "{\"add_bos_token\": \"yes\"}");
  expect_error(folder.path(), ErrorKind::kCorrupt, "add_bos_token");
  write_file_atomic(folder / "tokenizer_config.json", "[1]");
  expect_error(folder.path(), ErrorKind::kCorrupt, "tokenizer_config.json");
}

TEST(MalformedTokenizer, VocabAndMerges) {
  const elastic::testing::TemporaryFolder folder;
  const auto expect = [&](std::string_view merges, std::string_view config, ErrorKind kind,
                          std::string_view named) {
    write_file_atomic(folder / "vocab.json", R"({"a": 0, "b": 1, "ab": 2})");
    write_file_atomic(folder / "merges.txt", merges);
    write_file_atomic(folder / "tokenizer_config.json", config);
    expect_error(folder.path(), kind, named);
  };
  const std::string qwen = R"({"tokenizer_class": "Qwen2Tokenizer"})";
  expect("a b c\n", qwen, ErrorKind::kCorrupt, "line 1");
  expect("a b\na x\n", qwen, ErrorKind::kCorrupt, "`x`");
  expect("a b\n", "{}", ErrorKind::kCorrupt, "tokenizer_class");
  expect("a b\n", R"({"tokenizer_class": "BertTokenizer"})", ErrorKind::kUnsupported, "Bert");
  expect(
      "a b\n",
      R"({"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": {"x": {"content": "y"}}})",
      ErrorKind::kCorrupt, "no token id");
}

}  // namespace
}  // namespace elastic::engine
