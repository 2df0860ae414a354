// A tokenizer learned from synthetic text: small, reproducible, and free of context.

#include "engine/api/tokenizer_trainer.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "engine/api/tokenizer.h"
#include "tasks/training/piece.h"
#include "tasks/training/tokenizer_text.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

constexpr int kPieces = 1024;

const datasets::WordLists& lists() {
  static const auto kLists =
      datasets::load_word_lists(testing::fixture("ruler/data/ruler/wonderwords-3.0.1"));
  return kLists;
}

std::string train() {
  return engine::train_tokenizer({.vocab_size = kPieces, .user_symbols = tokenizer_symbols()},
                                 tokenizer_lines(lists(), 1));
}

const engine::Tokenizer& trained() {
  static const testing::TemporaryFolder kFolder;
  static const auto kTokenizer = [] {
    write_file_atomic(kFolder / "tokenizer.model", train());
    return engine::Tokenizer::load(kFolder.path());
  }();
  return kTokenizer;
}

TEST(tokenizer_training, has_the_pieces_asked_for) {
  EXPECT_EQ(trained().vocab_size(), kPieces);
  EXPECT_EQ(trained().bos_id(), 1);
  EXPECT_EQ(trained().piece_id("</s>"), 2);
  EXPECT_TRUE(trained().piece_id("\n"));
  EXPECT_TRUE(trained().piece_id("\xE2\x96\x81VAR"));
  EXPECT_EQ(trained().count("\n.,?:=-"), 1 + 7);  // the blank in front of a text, seven marks
}

TEST(tokenizer_training, is_a_function_of_lines_and_seed) {
  EXPECT_EQ(tokenizer_lines(lists(), 3), tokenizer_lines(lists(), 3));
  EXPECT_NE(tokenizer_lines(lists(), 3), tokenizer_lines(lists(), 4));
  EXPECT_EQ(train(), train());
}

TEST(tokenizer_training, an_adjective_behind_a_blank_is_one_piece) {
  const PieceEncoder encoder(trained());
  for (const std::string& adjective : lists().adjectives) {
    if (adjective.find('-') != std::string::npos) continue;
    EXPECT_EQ(encoder.inside(" " + adjective).ids.size(), 1u) << adjective;
  }
}

TEST(tokenizer_training, words_are_encoded_as_if_alone) {
  const PieceEncoder encoder(trained());
  const std::vector<std::string> words = datasets::all_words(lists());
  std::string text;
  std::vector<std::int32_t> parts;
  for (const std::string& word : words) {
    for (const std::string& part :
         {" " + word, "-" + word, std::string("."), "\n " + word + ",", std::string("907"),
          std::string(" 41"), std::string(" ABVARX")}) {
      text += part;
      const Piece piece = encoder.inside(part);
      parts.insert(parts.end(), piece.ids.begin(), piece.ids.end());
    }
  }
  EXPECT_EQ(encoder.inside(text).ids, parts);
}

TEST(tokenizer_training, decodes_what_it_encodes) {
  for (const std::string text :
       {"The locker code of able-acid was set to 1234567.",
        "a  b\n\n c\t \xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80", "VAR AB = 12."}) {
    EXPECT_EQ(trained().decode(trained().encode(text, false)), text);
  }
}

TEST(tokenizer_training, sizes_that_cannot_be_are_errors) {
  for (const int pieces : {300, 1000000}) {
    try {
      engine::train_tokenizer({.vocab_size = pieces, .user_symbols = tokenizer_symbols()},
                              {"the lake lies still"});
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    }
  }
}

}  // namespace
}  // namespace elastic::tasks
