#include "engine/generate/stop_matcher.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/testing/folders.h"

namespace elastic::engine {
namespace {

const Tokenizer& demo_tokenizer() {
  static const Tokenizer kTokenizer = Tokenizer::load(testing::source_folder() / "models/demo");
  return kTokenizer;
}

std::optional<std::string> cut(const std::string& text, const std::vector<std::string>& stop) {
  return StopMatcher(&demo_tokenizer(), stop).find(demo_tokenizer().encode(text));
}

TEST(StopMatcher, TheEarliestStringWinsNotTheFirstListed) {
  const std::string text = "A cart rolls past. The lake lies still.";
  EXPECT_EQ(cut(text, {"lake", "past"}), "A cart rolls ");
  EXPECT_EQ(cut(text, {"past", "lake"}), "A cart rolls ");
  EXPECT_EQ(cut(text, {"never said", "lake"}), "A cart rolls past. The ");
  EXPECT_EQ(cut(text, {"never said"}), std::nullopt);
}

TEST(StopMatcher, EmptyStringsStopNothing) {
  EXPECT_EQ(cut("A cart.", {"", ""}), std::nullopt);
  EXPECT_EQ(StopMatcher(nullptr, {""}).find({}), std::nullopt);
  EXPECT_THROW(StopMatcher(nullptr, {"x"}), Error);
}

// Tokens without text of their own may stand inside a stop string.
TEST(StopMatcher, SpecialTokensDoNotHideAString) {
  std::vector<std::int32_t> ids = demo_tokenizer().encode("A cart rolls past.");
  ids.insert(ids.end() - 1, 5, *demo_tokenizer().bos_id());
  EXPECT_EQ(StopMatcher(&demo_tokenizer(), {"t."}).find(ids), "A cart rolls pas");
}

// A stop string is seen whole although only a tail of the tokens is decoded at each step.
TEST(StopMatcher, TheTailHoldsTheLongestString) {
  std::string long_stop;
  for (int i = 0; i < 60; ++i) long_stop += "z";  // about one token a letter
  const std::string text = "A cart rolls past. " + long_stop;
  EXPECT_EQ(cut(text, {"q", long_stop}), "A cart rolls past. ");
}

// The tail has room for sixteen tokens more than the longest string has characters.
TEST(StopMatcher, SixteenTokensWithoutTextFitIntoAString) {
  for (const std::ptrdiff_t specials : {16, 17}) {
    std::vector<std::int32_t> ids = demo_tokenizer().encode("A cart rolls past.");
    ids.insert(ids.end() - 1, static_cast<std::size_t>(specials), *demo_tokenizer().bos_id());
    const auto found = StopMatcher(&demo_tokenizer(), {"t."}).find(ids);
    EXPECT_EQ(found.has_value(), specials == 16) << specials;
  }
}

}  // namespace
}  // namespace elastic::engine
