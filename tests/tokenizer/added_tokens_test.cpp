#include "engine/tokenizer/added_tokens.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "engine/tokenizer/vocabulary.h"

namespace elastic::engine {
namespace {

using Parts = std::vector<std::pair<std::string, std::int32_t>>;  // text, id or kNoId

Parts parts_of(const AddedTokens& tokens, std::string_view text) {
  Parts parts;
  tokens.for_each_part(text, [&](std::string_view part, const AddedToken* token) {
    parts.emplace_back(part, token == nullptr ? kNoId : token->id);
  });
  return parts;
}

TEST(AddedTokens, PartsNeverOverlap) {
  const AddedTokens tokens(
      {{.content = "<r>", .id = 1, .rstrip = true}, {.content = "<l>", .id = 2, .lstrip = true}});
  EXPECT_EQ(parts_of(tokens, "a <r>  <l> b"),
            (Parts{{"a ", kNoId}, {"<r>  ", 1}, {"<l>", 2}, {" b", kNoId}}));
}

TEST(AddedTokens, SingleWordsStandBetweenCharactersThatAreNoWords) {
  const AddedTokens tokens({{.content = "stone", .id = 1, .single_word = true}});
  for (const char* text : {"7stone", "_stone", "stone7", "stone_", "éstone"}) {
    EXPECT_EQ(parts_of(tokens, text), (Parts{{text, kNoId}})) << text;
  }
  EXPECT_EQ(parts_of(tokens, "-stone."), (Parts{{"-", kNoId}, {"stone", 1}, {".", kNoId}}));
}

}  // namespace
}  // namespace elastic::engine
