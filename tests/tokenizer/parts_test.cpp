// Where texts are cut - at added tokens and between characters that no piece joins - against plain
// searches over all places; and the vocabulary.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/tokenizer/added_tokens.h"
#include "engine/tokenizer/piece_boundaries.h"
#include "engine/tokenizer/vocabulary.h"

namespace elastic::engine {
namespace {

using Cuts = std::vector<std::pair<std::string, std::int32_t>>;  // text, id or kNoId

bool is_word_at(std::string_view text, std::size_t at) {
  return at < text.size() && text[at] >= 'a' && text[at] <= 'z';
}

// Of ASCII: at every place the longest token; its blanks; what lies between.
Cuts by_search(const std::vector<AddedToken>& tokens, std::string_view text) {
  Cuts cuts;
  std::size_t done = 0, at = 0;
  while (at < text.size()) {
    const AddedToken* found = nullptr;
    for (const AddedToken& token : tokens) {
      const bool here = !token.content.empty() && text.substr(at).starts_with(token.content);
      if (here && (found == nullptr || token.content.size() > found->content.size())) {
        found = &token;
      }
    }
    if (found == nullptr) {
      ++at;
      continue;
    }
    const std::size_t end = at + found->content.size();
    const bool inside = (at > 0 && is_word_at(text, at - 1)) || is_word_at(text, end);
    if (!found->single_word || !inside) {
      std::size_t begin = at, stop = end;
      while (found->lstrip && begin > done && text[begin - 1] == ' ') --begin;
      while (found->rstrip && stop < text.size() && text[stop] == ' ') ++stop;
      begin = std::max(begin, std::min(done, at));
      if (begin > done) cuts.emplace_back(text.substr(done, begin - done), kNoId);
      cuts.emplace_back(text.substr(begin, stop - begin), found->id);
      done = std::max(done, stop);
    }
    at = end;
  }
  if (done < text.size()) cuts.emplace_back(text.substr(done), kNoId);
  return cuts;
}

Cuts cuts_of(const std::vector<AddedToken>& tokens, std::string_view text) {
  Cuts cuts;
  AddedTokens(tokens).for_each_part(text, [&](std::string_view part, const AddedToken* token) {
    cuts.emplace_back(part, token == nullptr ? kNoId : token->id);
  });
  return cuts;
}

std::string random_text(std::mt19937& random, std::string_view letters, std::size_t most) {
  std::string text(random() % (most + 1), 'a');
  for (char& c : text) c = letters[random() % letters.size()];
  return text;
}

TEST(Parts, AddedTokensAreThoseOfAPlainSearch) {
  std::mt19937 random(4);
  for (int round = 0; round < 4000; ++round) {
    std::vector<AddedToken> tokens;
    const std::string_view letters = round % 2 == 0 ? "ab<" : "a<";
    for (std::int32_t id = 0; id < static_cast<std::int32_t>(random() % 5); ++id) {
      const std::string content = (round % 4 == 1 ? "<" : "") + random_text(random, letters, 3);
      const auto same = [&](const AddedToken& token) { return token.content == content; };
      if (std::any_of(tokens.begin(), tokens.end(), same)) continue;
      tokens.push_back({.content = content,
                        .id = id,
                        .single_word = random() % 3 == 0,
                        .lstrip = random() % 3 == 0,
                        .rstrip = random() % 3 == 0});
    }
    const std::string whole = random_text(random, "ab< ", 20) + "<<ab";
    const std::string_view text = std::string_view(whole).substr(0, whole.size() - 4);
    ASSERT_EQ(cuts_of(tokens, text), by_search(tokens, text)) << "round " << round << ": " << text;
  }
}

TEST(Parts, BlanksOfAllKindsAreEaten) {
  const std::vector<AddedToken> tokens = {
      {.content = "<x>", .id = 1, .lstrip = true, .rstrip = true}};
  EXPECT_EQ(cuts_of(tokens, "a\u3000\n<x>\t\u00a0b"),
            (Cuts{{"a", kNoId}, {"\u3000\n<x>\t\u00a0", 1}, {"b", kNoId}}));
  EXPECT_EQ(cuts_of(tokens, " <x> "), (Cuts{{" <x> ", 1}}));
  EXPECT_EQ(cuts_of({}, "ab"), (Cuts{{"ab", kNoId}}));
  EXPECT_EQ(cuts_of(tokens, ""), Cuts{});
  EXPECT_TRUE(AddedTokens().empty());
  EXPECT_FALSE(AddedTokens(tokens).empty());
}

const std::vector<std::string> kCharacters = {"a",      "b",      "\u00e9",     "\u0436",
                                              "\u6c34", "\u6cb3", "\U0001F600", "\U0001F601"};

std::string random_characters(std::mt19937& random, std::size_t most) {
  std::string text;
  for (std::size_t n = random() % (most + 1); n > 0; --n) {
    text += kCharacters[random() % kCharacters.size()];
  }
  return text;
}

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

bool is_character(std::string_view text) {
  return std::find(kCharacters.begin(), kCharacters.end(), text) != kCharacters.end();
}

// A piece joins two neighbours where it holds both, or the last byte of one and the first of the
// other beside a part of a character, which may be a part of them.
bool joined(std::string_view piece, std::string_view left, std::string_view right) {
  for (std::size_t at = 1; at < piece.size(); ++at) {
    if (continues(piece[at])) continue;
    std::size_t begin = at - 1, end = at + 1;
    while (begin > 0 && continues(piece[begin])) --begin;
    while (end < piece.size() && continues(piece[end])) ++end;
    const std::string_view before = piece.substr(begin, at - begin);
    const std::string_view behind = piece.substr(at, end - at);
    if (is_character(before) && is_character(behind)) {
      if (before == left && behind == right) return true;
    } else if (before.back() == left.back() && behind.front() == right.front() &&
               left.size() + right.size() > 2) {
      return true;
    }
  }
  return false;
}

TEST(Parts, WordsEndWhereNoPieceJoins) {
  std::mt19937 random(6);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> pieces;
    PieceBoundaries boundaries;
    for (int n = 0; n < 6; ++n) {
      pieces.push_back(random_characters(random, 3));  // NOLINT: a few
      if (random() % 4 == 0) pieces.back() = pieces.back().substr(0, random() % 6);
      if (random() % 4 == 0 && !pieces.back().empty()) pieces.back().erase(0, 1);
      boundaries.add_piece(pieces.back());
    }
    for (const std::string& left : kCharacters) {
      for (const std::string& right : kCharacters) {
        const bool any = std::any_of(pieces.begin(), pieces.end(), [&](const std::string& piece) {
          return joined(piece, left, right);
        });
        ASSERT_EQ(boundaries.word_end(left + right, 0), left.size() + (any ? right.size() : 0))
            << "round " << round << ": " << left << right;
      }
    }
  }
}

TEST(Parts, AVocabularyOfManyPieces) {
  Vocabulary pieces;
  pieces.reserve(10, 10);
  constexpr std::int32_t kCount = 5000;
  for (std::int32_t id = 0; id < kCount; ++id) {
    const std::string piece = "p" + std::to_string(id);
    ASSERT_TRUE(pieces.add(piece, 2 * id));
    ASSERT_TRUE(pieces.index(2 * id));
  }
  for (std::int32_t id = 0; id < kCount; ++id) {
    EXPECT_EQ(pieces.find("p" + std::to_string(id)), 2 * id);
    EXPECT_TRUE(pieces.has(2 * id));
    EXPECT_FALSE(pieces.has(2 * id + 1));
  }
  EXPECT_EQ(pieces.id_limit(), 2 * kCount - 1);
  EXPECT_FALSE(pieces.has(2 * kCount)) << "nor beyond the end";
  EXPECT_FALSE(pieces.has(-1));
  EXPECT_EQ(pieces.find("p5000"), kNoId);
  EXPECT_FALSE(pieces.add("other", 0)) << "taken";
  EXPECT_EQ(pieces.piece(0), "p0");
  ASSERT_TRUE(pieces.add("p0", 1));
  EXPECT_FALSE(pieces.index(1)) << "these bytes have an id";
  EXPECT_EQ(pieces.find("p0"), 0);
  ASSERT_TRUE(pieces.add("", 3));
  EXPECT_EQ(pieces.piece(3), "");
  EXPECT_EQ(Vocabulary().find("a"), kNoId);
}

}  // namespace
}  // namespace elastic::engine
