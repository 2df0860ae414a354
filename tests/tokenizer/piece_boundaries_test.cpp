#include "engine/tokenizer/piece_boundaries.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace elastic::engine {
namespace {

std::vector<std::string> words_of(const PieceBoundaries& boundaries, const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = boundaries.word_end(text, at);
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

TEST(PieceBoundaries, CutBetweenCharactersThatNoPieceJoins) {
  PieceBoundaries boundaries;
  for (const char* piece : {"a", "ab", "河水", "é", "é.", "ба"}) boundaries.add_piece(piece);
  EXPECT_EQ(words_of(boundaries, "abba"), (std::vector<std::string>{"ab", "b", "a"}));
  EXPECT_EQ(words_of(boundaries, "水河水河"), (std::vector<std::string>{"水", "河水", "河"}));
  EXPECT_EQ(words_of(boundaries, "é.é"), (std::vector<std::string>{"é.", "é"}));
  EXPECT_EQ(words_of(boundaries, "баб"), (std::vector<std::string>{"ба", "б"}));
}

TEST(PieceBoundaries, PiecesThatEndInsideACharacterJoinAllTheyMayBelongTo) {
  PieceBoundaries boundaries;
  boundaries.add_piece("水\xE6");        // 水 and the first byte of 河, among others
  boundaries.add_piece("\xB4\xD0\xB1");  // last byte of U+6C34, say, and all of б
  EXPECT_EQ(words_of(boundaries, "水河"), (std::vector<std::string>{"水河"}));
  EXPECT_EQ(words_of(boundaries, "水б"), (std::vector<std::string>{"水б"}));
  EXPECT_EQ(words_of(boundaries, "河б水"), (std::vector<std::string>{"河", "б", "水"}));
}

}  // namespace
}  // namespace elastic::engine
