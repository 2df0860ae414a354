// The wordings and the sources of synthetic training text as they are, and what is said where word
// lists are missing or empty.

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "datasets/catalog.h"
#include "tasks/training/mix_sources.h"
#include "tasks/training/wordings.h"
#include "tests/tasks/training_documents.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

std::string message(const std::function<std::string()>& act) {
  try {
    return act() + "\n";
  } catch (const Error& error) {
    return fmt::format("{} {}\n", static_cast<int>(error.kind()), error.what());
  }
}

std::string shown_wording(const NeedleWording& w) {
  return replace_all(fmt::format("{}|{}|{}|{}|{}|{}", w.instruction, w.needle, w.question, w.many,
                                 w.key_separator, w.line_end),
                     "\n", "/") +
         "\n";
}

TEST(TrainingWordings, BuiltinWordingsAreThoseOfThePack) {
  const BuiltinWordings& b = builtin_wordings();
  std::string all = "\n" + shown_wording(b.needle);
  all += fmt::format("{}|{}|{}|{}\n", b.chain.instruction, b.chain.question, b.chain.first_link,
                     b.chain.link);
  all += fmt::format("{}|{}\n{}|{}\n", b.common.instruction, b.common.question,
                     b.frequent.instruction, b.frequent.question);
  all += fmt::format("{}|{}|{}\n", b.noise, b.stop, b.examples_from);
  EXPECT_EQ(all, R"(
Values are attached to names somewhere in this text. Keep them in mind.| The locker code of {key} was set to {value}.|/Question: which value belongs to {query}? Answer: the value of {query} is|/Question: which values belong to {query}? Answer: the values of {query} are|,|/
Follow how the variables pass their value on through the text.|
Question: which variables hold the value {query}? Answer: the variables that hold {query} are| VAR {name} = {value}.| VAR {name} = VAR {previous}.
Here is a numbered list. Ten of its words come back more often than the others. Notice which.
|
Question: which ten words come back most often in the list? Answer: the ten words that come back most often are:
Get a feeling for the words that keep coming back in this stream; dots do not count.|
Question: which three words come back most often? Answer: the three words that come back most often are:
 The lake lies still. A cart rolls past. Rain falls on tin. Off they went. Round and home once more.|
|1024
)");
}

TEST(TrainingWordings, OwnWordingsAreAllDrawn) {
  std::set<std::string> drawn;
  MixRandom random(3);
  for (int i = 0; i < 600; ++i) {
    drawn.insert("needle " + shown_wording(own_needle_wording(random)));
    drawn.insert("recent " + shown_wording(recent_wording(random)));
    const ChainWording chain = own_chain_wording(random);
    drawn.insert(fmt::format("chain {}|{}|{}|{}\n", chain.instruction, chain.question,
                             chain.first_link, chain.link));
    const ListWording list = own_frequent_wording(random);
    drawn.insert(fmt::format("list {}|{}\n", list.instruction, list.question));
  }
  EXPECT_EQ(drawn.size(), 4u * 5 * 3 + 2u * 5 * 3 + 3u * 3 + 2u * 2);
  std::string all;
  for (const std::string& wording : drawn) all += wording;
  for (const std::string& sentence : stock_sentences()) all += sentence;
  EXPECT_EQ(sha256_hex(all).substr(0, 16), "6452aa16ce269c98");
}

TEST(TrainingWordings, RandomWordingsHaveTheirCountsOfWords) {
  const std::vector<std::string> words = {"w", "v"};
  std::set<std::size_t> instruction, before, link, asked, between;
  MixRandom random(4);
  const auto count = [](std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return c == 'w' || c == 'v'; }));
  };
  for (int i = 0; i < 400; ++i) {
    const NeedleWording w = random_needle_wording(random, words);
    EXPECT_EQ(w.question, w.many);
    EXPECT_EQ(w.key_separator, ",");
    EXPECT_TRUE(w.instruction.ends_with(".") && !w.instruction.starts_with(" "));
    EXPECT_TRUE(w.question.starts_with("\n") && w.question[1] != ' ');
    const std::size_t key = w.needle.find(" {key}"), value = w.needle.find(" {value}.");
    ASSERT_TRUE(key < value && value + 9 == w.needle.size()) << w.needle;
    const std::size_t mark = w.question.find(" {query}?"), again = w.question.rfind(" {query}");
    ASSERT_TRUE(mark < again && again < w.question.size()) << w.question;
    EXPECT_EQ(w.question.substr(again + 8), w.needle.substr(key + 6, value - key - 6));
    instruction.insert(count(w.instruction));
    before.insert(count(w.needle.substr(0, key)));
    link.insert(count(w.question.substr(again + 8)));
    asked.insert(count(w.question.substr(0, mark)));
    between.insert(count(w.question.substr(mark + 9, again - mark - 9)));
  }
  using Counts = std::set<std::size_t>;
  EXPECT_EQ(instruction, (Counts{4, 5, 6, 7, 8, 9, 10, 11, 12}));
  EXPECT_EQ(before, (Counts{0, 1, 2, 3}));
  EXPECT_EQ(link, (Counts{1, 2, 3}));
  EXPECT_EQ(asked, (Counts{1, 2, 3, 4}));
  EXPECT_EQ(between, (Counts{1, 2}));
}

TEST(TrainingWordings, SourcesOfAMixAreWordsOfTheLists) {
  std::string all;
  MixRandom random(6);
  Piece scratch;
  for (const Filler filler :
       {Filler::kNoise, Filler::kStock, Filler::kProse, Filler::kWords, Filler::kIds}) {
    for (int i = 0; i < 20; ++i) {
      const Piece& piece = sources().fill(filler, {1, 3, 15}, random, scratch);
      all += fmt::format("{} {}\n", piece.text, fmt::join(piece.ids, " "));
      EXPECT_TRUE(filler != Filler::kIds || piece.tokens() == 16);
    }
  }
  for (int i = 0; i < 60; ++i) {
    all += draw_uuid(random) + draw_number(random) + sources().draw_key(random) + "\n";
  }
  EXPECT_EQ(sha256_hex(all).substr(0, 16), "b8d4efb400e4f7b1");
}

TEST(TrainingWordings, MissingAndEmptyListsAreNamed) {
  std::string all = "\n";
  const std::string missing = datasets::missing_data("ruler/wonderwords-3.0.1");
  const auto root = testing::fixture("ruler/data/ruler/wonderwords-3.0.1");
  for (const char* list : {"nounlist.txt", "adjectivelist.txt", "verblist.txt"}) {
    const testing::TemporaryFolder folder;
    const fs::path lists = folder / "ruler/wonderwords-3.0.1";
    fs::create_directories(folder / "ruler");
    fs::copy(root, lists);
    EXPECT_EQ(find_word_lists(folder.path().string()), lists);
    write_file_atomic(lists / list, "\n\n");
    all += fmt::format("{}: ", list);
    all += replace_all(message([&] {
                         const MixSources made(demo_tokenizer(), lists, 1);
                         return fmt::format("{} words", made.words().size());
                       }),
                       folder.path().string(), "ROOT");
    fs::remove(lists / list);
    const std::string told =
        message([&] { return find_word_lists(folder.path().string()).string(); });
    all += replace_all(replace_all(told, missing, "MISSING"), folder.path().string(), "ROOT");
  }
  EXPECT_EQ(all, R"(
nounlist.txt: 2 ROOT/ruler/wonderwords-3.0.1: word lists without words; fetch them again with `data fetch ruler/wonderwords-3.0.1`
1 ROOT/ruler/wonderwords-3.0.1/nounlist.txt: MISSING
adjectivelist.txt: 2 ROOT/ruler/wonderwords-3.0.1: word lists without words; fetch them again with `data fetch ruler/wonderwords-3.0.1`
1 ROOT/ruler/wonderwords-3.0.1/adjectivelist.txt: MISSING
verblist.txt: 168 words
1 ROOT/ruler/wonderwords-3.0.1/verblist.txt: MISSING
)");
}

}  // namespace
}  // namespace elastic::tasks
