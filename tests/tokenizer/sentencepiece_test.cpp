// sentencepiece files by hand-made bytes, and models against the library itself: cutting a text
// into words changes no id, whatever the model's settings say.

#include "engine/tokenizer/sentencepiece_model.h"

#include <gtest/gtest.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "engine/tokenizer/sentencepiece_file.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

using Ids = std::vector<std::int32_t>;

std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
std::string number_field(std::uint64_t field, std::uint64_t value) {
  return varint(field << 3) + varint(value);
}
std::string text_field(std::uint64_t field, const std::string& bytes) {
  return varint(field << 3 | 2) + varint(bytes.size()) + bytes;
}

const std::string kPiece = text_field(1, text_field(1, "a"));

// trainer_spec and normalizer_spec with these fields.
std::string model_bytes(const std::string& trainer, const std::string& normalizer) {
  return kPiece + text_field(2, trainer) + text_field(3, normalizer);
}

// Settings as letters, small where they are not set.
std::string settings(const std::string& bytes) {
  const SentencepieceFile file = read_sentencepiece_file(bytes, "t");
  const std::pair<bool, char> flags[] = {{file.is_bpe, 'b'},
                                         {file.byte_fallback, 'f'},
                                         {file.whitespace_as_suffix, 's'},
                                         {file.has_normalizer_map, 'm'},
                                         {file.add_dummy_prefix, 'p'},
                                         {file.remove_extra_whitespaces, 'r'},
                                         {file.escape_whitespaces, 'e'}};
  std::string out;
  for (const auto& [set, letter] : flags)
    out += set ? static_cast<char>(letter - 'a' + 'A') : letter;
  return out;
}

TEST(SentencepieceFile, Settings) {
  EXPECT_EQ(settings(model_bytes("", "")), "bfsmPRE");
  EXPECT_EQ(settings(model_bytes(number_field(3, 2), "")), "BfsmPRE");
  EXPECT_EQ(settings(model_bytes(number_field(3, 1), "")), "bfsmPRE") << "unigram";
  EXPECT_EQ(settings(model_bytes(number_field(3, 3), "")), "bfsmPRE");
  EXPECT_EQ(settings(model_bytes(number_field(35, 1) + number_field(24, 1), "")), "bFSmPRE");
  EXPECT_EQ(settings(model_bytes(number_field(35, 0) + number_field(24, 0), "")), "bfsmPRE");
  EXPECT_EQ(settings(model_bytes("", text_field(2, "x"))), "bfsMPRE");
  EXPECT_EQ(settings(model_bytes("", text_field(2, ""))), "bfsmPRE");
  EXPECT_EQ(settings(model_bytes("", number_field(3, 0))), "bfsmpRE");
  EXPECT_EQ(settings(model_bytes("", number_field(4, 0))), "bfsmPrE");
  EXPECT_EQ(settings(model_bytes("", number_field(5, 0))), "bfsmPRe");
  EXPECT_EQ(settings(model_bytes("", number_field(5, 1) + number_field(4, 1) + number_field(3, 1))),
            "bfsmPRE");
  // Of two specifications, the second's fields count.
  EXPECT_EQ(settings(model_bytes(number_field(3, 2), "") + text_field(2, number_field(35, 1))),
            "BFsmPRE");
  // Fields of every kind and of other numbers are passed over, those of the same number elsewhere
  // mean something else.
  const std::string others = varint(9 << 3 | 1) + "12345678" + varint(9 << 3 | 5) + "1234" +
                             number_field(1000, 1ULL << 63) + text_field(8, "abc");
  EXPECT_EQ(settings(others + model_bytes(others + number_field(3, 2) + others, others)),
            "BfsmPRE");
  EXPECT_EQ(
      settings(kPiece + text_field(3, number_field(35, 1)) + text_field(2, number_field(4, 0))),
      "bfsmPRE");
}

TEST(SentencepieceFile, DamageIsNamed) {
  const std::string good = model_bytes(number_field(3, 2), number_field(3, 1));
  const std::string no_model = "t: not a sentencepiece model: ", again = "; fetch the file again";
  const std::string cut = no_model + "it ends in the middle of a field" + again;
  const std::string part = "t: not a whole sentencepiece model: it lacks ";
  const std::pair<std::string, std::string> cases[] = {
      {"", part + "pieces" + again},
      {text_field(2, "") + text_field(3, ""), part + "pieces" + again},
      {text_field(1, "") + text_field(2, "") + text_field(3, ""), part + "pieces" + again},
      {kPiece, part + "its settings" + again},
      {kPiece + text_field(2, ""), part + "its settings" + again},
      {kPiece + text_field(3, ""), part + "its settings" + again},
      {good + "\x0a", cut},
      {good + "\x0a\x05zzzz", cut},
      {good + varint(9 << 3 | 1) + "1234567", cut},
      {good + varint(9 << 3 | 5) + "123", cut},
      {good + varint(9 << 3), cut},
      {good + std::string(3, '\xff'), cut},
      {model_bytes("\x18", ""), cut},
      {good + std::string(10, '\xff') + "\x01",
       no_model + "has a number of more than ten bytes" + again},
      {good + varint(9 << 3 | 3), no_model + "has a field of an unknown kind" + again},
      {good + varint(9 << 3 | 4), no_model + "has a field of an unknown kind" + again},
      {good + varint(9 << 3 | 6), no_model + "has a field of an unknown kind" + again},
  };
  for (const auto& [bytes, said] : cases) {
    try {
      read_sentencepiece_file(bytes, "t");
      ADD_FAILURE() << said;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
      EXPECT_EQ(error.what(), said);
    }
  }
}

std::string small_model() {
  return read_file(elastic::testing::fixture("tokenizers/sentencepiece-bpe/tokenizer.model"));
}

std::string random_words(std::mt19937& random) {
  static const std::vector<std::string> kParts = {
      " ", "  ",     "the",        "river",  " bends", "under", "stone", "a",
      "e", "\u2581", "\u00e9",     "\u6c34", "\n",     "\t",    "1",     "23",
      ".", "<s>",    "\U0001F600", "x",      "\u3000", "zq"};
  std::string text;
  for (std::size_t n = random() % 12; n > 0; --n) text += kParts[random() % kParts.size()];
  return text;
}

// A model without byte_fallback.
std::string trained(const std::string& type, const std::string& normalization) {
  const elastic::testing::TemporaryFolder folder;
  write_file_atomic(folder / "lines",
                    "the river bends under the stone\nthe stones of the river\nthe bend \uff41\n");
  const std::unordered_map<std::string, std::string> training = {
      {"input", (folder / "lines").string()},
      {"model_type", type},
      {"vocab_size", "40"},
      {"hard_vocab_limit", "false"},
      {"normalization_rule_name", normalization},
      {"remove_extra_whitespaces", "false"},
      {"minloglevel", "2"}};
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(training, nullptr, &model);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return model;
}

TEST(SentencepieceModel, IdsAreTheLibrarys) {
  const std::string bytes = small_model();
  const std::string changes[] = {
      "",
      text_field(2, number_field(24, 1)),  // blanks behind words
      text_field(2, number_field(3, 1)),   // unigram
      text_field(3, number_field(4, 1)),   // blanks are collapsed
      text_field(3, number_field(3, 0)),   // no blank in front
      text_field(3, number_field(5, 0)),   // blanks are no U+2581
  };
  std::vector<std::string> models = {trained("bpe", "identity"), trained("unigram", "identity"),
                                     trained("bpe", "nmt_nfkc")};
  for (const std::string& change : changes) models.push_back(bytes + change);
  std::mt19937 random(9);
  for (const std::string& serialized : models) {
    const SentencepieceModel model(serialized, "t", {.add_bos = false});
    sentencepiece::SentencePieceProcessor library;
    ASSERT_TRUE(library.LoadFromSerializedProto(serialized).ok());
    for (int i = 0; i < 800; ++i) {
      const std::string text = i == 0 ? std::string(40, 'x') + " xx" : random_words(random);
      std::vector<int> expected;
      ASSERT_TRUE(library.Encode(text, &expected).ok());
      ASSERT_EQ(model.encode(text, true), expected) << text;
      ASSERT_EQ(model.encode(text, true), expected) << text << ", remembered";
      ASSERT_EQ(model.count(text), static_cast<std::int64_t>(expected.size())) << text;
      std::string decoded;
      ASSERT_TRUE(library.Decode(expected, &decoded).ok());
      ASSERT_EQ(model.decode(expected, false), decoded) << text;
    }
  }
}

TEST(SentencepieceModel, OptionsPutTokensAroundTheText) {
  const std::string bytes = small_model();
  const Ids text = {260, 275, 368};
  const auto encoded = [&](const SentencepieceOptions& options, bool special) {
    return SentencepieceModel(bytes, "t", options).encode("hello", special);
  };
  const Ids plain = encoded({.add_bos = false}, true);
  const auto with = [&](Ids first, const Ids& last) {
    first.insert(first.end(), plain.begin(), plain.end());
    first.insert(first.end(), last.begin(), last.end());
    return first;
  };
  EXPECT_EQ(encoded({}, true), with({1}, {}));
  EXPECT_EQ(encoded({.add_bos = true, .add_eos = true}, true), with({1}, {2}));
  EXPECT_EQ(encoded({.add_bos = false, .add_eos = true}, true), with({}, {2}));
  EXPECT_EQ(encoded({.add_bos = true, .add_eos = true}, false), plain);
  EXPECT_EQ(SentencepieceModel(bytes, "t", {.add_bos = false}).bos_id(), std::nullopt);
  EXPECT_EQ(SentencepieceModel(bytes, "t", {}).bos_id(), 1);
}

TEST(SentencepieceModel, PiecesAndAddedTokens) {
  const std::string bytes = small_model();
  const SentencepieceModel plain(bytes, "t", {});
  const std::int64_t size = plain.vocab_size();
  const auto next = static_cast<std::int32_t>(size);
  EXPECT_EQ(plain.special_ids(), (Ids{0, 1, 2}));
  EXPECT_EQ(plain.piece_id("<unk>"), 0);
  EXPECT_EQ(plain.piece_id("<s>"), 1);
  EXPECT_EQ(plain.piece_id("no such piece"), std::nullopt);
  EXPECT_EQ(plain.decode(Ids{-1, 1, next, next + 1}, true), "") << "no such ids";
  const SentencepieceModel model(bytes, "t",
                                 {.read_controls = true,
                                  .added_tokens = {{.content = "<a>", .id = next, .special = true},
                                                   {.content = "<b>", .id = next + 3},
                                                   {.content = "</s>", .id = 2, .special = true}}});
  EXPECT_EQ(model.vocab_size(), size + 4);
  EXPECT_EQ(model.special_ids(), (Ids{0, 1, 2, next}));
  EXPECT_EQ(model.piece_id("<b>"), next + 3);
  const Ids ids = model.encode("<a></s><unk><b>", false);
  EXPECT_EQ(ids, (Ids{next, 2, 0, next + 3}));
  EXPECT_EQ(model.count("<a></s><unk><b>"), 4);
  EXPECT_EQ(model.decode(Ids{next, next + 3}, false), "<a><b>");
  EXPECT_EQ(model.decode(Ids{next, next + 3, next + 2, 1}, true), "<b>");
  EXPECT_EQ(SentencepieceModel(bytes, "t", {}).encode("<s>", false).size(), 4U) << "spelt out";
  try {
    const SentencepieceModel contradicted(bytes, "t",
                                          {.added_tokens = {{.content = "<c>", .id = next - 1}}});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    EXPECT_TRUE(std::string_view(error.what())
                    .starts_with("t: piece " + std::to_string(next - 1) + " is `"))
        << error.what();
  }
}

// Behind a token that is written out, a text goes on without the blank that stands before a text;
// `legacy` gives it one where it has none.
TEST(SentencepieceModel, TextBehindATokenWrittenOut) {
  const std::string bytes = small_model();
  const SentencepieceModel model(bytes, "t", {.read_controls = true});
  const SentencepieceModel legacy(bytes, "t", {.read_controls = true, .legacy = true});
  const std::int32_t blank = *model.piece_id("\u2581"), x = *model.piece_id("<0x78>");
  EXPECT_EQ(model.encode("x</s>x", false), (Ids{blank, x, 2, x}));
  EXPECT_EQ(model.encode("x</s> x", false), (Ids{blank, x, 2, blank, x}));
  EXPECT_EQ(legacy.encode("x</s>x", false), (Ids{blank, x, 2, blank, x}));
  EXPECT_EQ(legacy.encode("x</s> x", false), (Ids{blank, x, 2, blank, x}));
  EXPECT_EQ(legacy.encode("x</s>\u2581x", false), (Ids{blank, x, 2, blank, x}));
  EXPECT_EQ(model.decode(Ids{blank, x, 2, blank, x}, true), "x x");
}

}  // namespace
}  // namespace elastic::engine
