// Prose and word pools by hand: where words end, what repeats, how keys are addressed.

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "base/file.h"
#include "datasets/haystack.h"
#include "datasets/word_lists.h"
#include "tests/testing/folders.h"

namespace elastic::datasets {
namespace {

TEST(Haystack, FoldsEveryRunOfWhiteSpace) {
  const Haystack text("one\n\n two\u00a0\u2003three\t\tfour");
  EXPECT_EQ(text.text(), "one two three four");
  EXPECT_EQ(text.word_count(), 4);
  EXPECT_EQ(Haystack(" a \n").text(), " a ");
  EXPECT_EQ(Haystack(" a ").word_count(), 3) << "an empty word before and behind";
  EXPECT_EQ(Haystack("").word_count(), 1);
}

TEST(Haystack, PrefixesAreCountedInWords) {
  const Haystack text("one two three");
  EXPECT_EQ(text.prefix(-1), "");
  EXPECT_EQ(text.prefix(0), "");
  EXPECT_EQ(text.prefix(1), "one");
  EXPECT_EQ(text.prefix(2), "one two");
  EXPECT_EQ(text.prefix(3), "one two three");
  EXPECT_EQ(text.prefix(4), "one two three");
  EXPECT_EQ(Haystack(" a b").prefix(2), "a") << "no white space at the ends";
}

TEST(Haystack, RepeatsToAnyCount) {
  const Haystack text("one two");
  EXPECT_EQ(text.repeated(0), "");
  EXPECT_EQ(text.repeated(1), "one");
  EXPECT_EQ(text.repeated(2), "one two");
  EXPECT_EQ(text.repeated(3), "one two one");
  EXPECT_EQ(text.repeated(4), "one two one two");
  EXPECT_EQ(text.repeated(5), "one two one two one");
}

TEST(SyntheticProse, IsSentencesOfTenWordsDrawnFromPlainShortNouns) {
  const WordLists lists{.nouns = {"acid", "x", "to", "Cave", "seven", "ox-eye", "fox"},
                        .adjectives = {"able", "", "Old", "big"},
                        .verbs = {}};
  EXPECT_EQ(synthetic_prose(lists, 3, 0), "");
  EXPECT_EQ(synthetic_prose(lists, 3, 1), synthetic_prose(lists, 3, 10)) << "whole sentences";
  EXPECT_EQ(
      synthetic_prose(lists, 3, 20),
      "the able acid keeps a fox near the able acid. the big fox wants a acid near the able fox.");
  EXPECT_THROW(synthetic_prose({.nouns = {"Cave"}, .adjectives = {"big"}, .verbs = {}}, 3, 10),
               Error);
  EXPECT_THROW(synthetic_prose({.nouns = {"acid"}, .adjectives = {}, .verbs = {}}, 3, 10), Error);
}

TEST(WordLists, LinesLoseTrailingWhiteSpaceOnly) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "nounlist.txt", "acid \n\n  cave\r\nacid\n");
  write_file_atomic(folder / "adjectivelist.txt", "able");
  write_file_atomic(folder / "verblist.txt", "");
  const WordLists lists = load_word_lists(folder.path());
  EXPECT_EQ(lists.nouns, (std::vector<std::string>{"acid", "", "  cave", "acid"}));
  EXPECT_EQ(lists.adjectives, std::vector<std::string>{"able"});
  EXPECT_EQ(lists.verbs, std::vector<std::string>{""});
  EXPECT_EQ(all_words(lists), (std::vector<std::string>{"", "  cave", "able", "acid"}));
}

TEST(WordLists, EnglishWordsKeepTheOrderOfTheFile) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "words.json", R"({"0": "zebra", "1": "ant", "2": "zebra"})");
  EXPECT_EQ(load_english_words(folder / "words.json"),
            (std::vector<std::string>{"zebra", "ant", "zebra"}));
  write_file_atomic(folder / "words.json", R"({"0": 1})");
  EXPECT_THROW(load_english_words(folder / "words.json"), Error);
}

// By definition: every pair, sorted, each once.
std::vector<std::string> all_keys(const std::vector<std::string>& adjectives,
                                  const std::vector<std::string>& nouns) {
  std::set<std::string> keys;
  for (const std::string& adjective : adjectives) {
    for (const std::string& noun : nouns) keys.insert(adjective + "-" + noun);
  }
  return {keys.begin(), keys.end()};
}

TEST(KeyPool, IsTheSortedSetOfAllPairs) {
  const std::vector<std::string> nouns = {"cave", "acid", "b-x", "x", "acid"};
  for (const std::vector<std::string>& adjectives : {std::vector<std::string>{"old", "able", "old"},
                                                     {"a", "a-b", "b", "a-b-c", "ab"},
                                                     {"cold"},
                                                     {"z", "a", "a-b"},
                                                     {}}) {
    const KeyPool pool(adjectives, nouns);
    const std::vector<std::string> expected = all_keys(adjectives, nouns);
    ASSERT_EQ(pool.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(pool[i], expected[i]);
    EXPECT_THROW(pool[expected.size()], std::exception);
  }
}

}  // namespace
}  // namespace elastic::datasets
