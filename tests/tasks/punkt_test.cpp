#include "tasks/ruler/punkt.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/python_random.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

using Sentences = std::vector<std::string_view>;

const PunktParameters& parameters() {
  static const PunktParameters kParameters =
      load_punkt(testing::fixture("ruler/data/ruler/punkt_tab_english"));
  return kParameters;
}

Sentences sentences(std::string_view text) { return punkt_sentences(parameters(), text); }

TEST(punkt, every_file_is_read) {
  using Words = std::unordered_set<std::string>;
  EXPECT_EQ(parameters().abbreviations, (Words{"dr", "mr", "mrs", "p.m", "st", "u.s"}));
  EXPECT_EQ(parameters().collocations, (Words{"##number##\tpounds", "st\tives"}));
  EXPECT_EQ(parameters().sentence_starters, (Words{"the", "he"}));
  EXPECT_EQ(parameters().orthography,
            (std::unordered_map<std::string, int>{
                {"asked", 32}, {"hale", 4}, {"mr", 14}, {"the", 46}, {"vance", 4}, {"ives", 4}}));
}

TEST(punkt, marks_end_sentences_abbreviations_do_not) {
  EXPECT_EQ(sentences("Snow fell. Tea went cold! Why?"),
            (Sentences{"Snow fell.", "Tea went cold!", "Why?"}));
  EXPECT_EQ(sentences("We met Mr. Hale there. All left."),
            (Sentences{"We met Mr. Hale there.", "All left."}));
  EXPECT_EQ(sentences("A man of St. Ives came."), (Sentences{"A man of St. Ives came."}));
}

TEST(punkt, a_known_starter_ends_a_sentence_behind_an_abbreviation) {
  EXPECT_EQ(sentences("It shut at 7 p.m. The guards slept."),
            (Sentences{"It shut at 7 p.m.", "The guards slept."}));
}

TEST(punkt, closing_marks_go_with_their_sentence) {
  EXPECT_EQ(sentences("\"No one came.\" On it went. (Twice.) So be it."),
            (Sentences{"\"No one came.\"", "On it went.", "(Twice.)", "So be it."}));
}

TEST(punkt, white_space_and_empty_texts) {
  EXPECT_TRUE(sentences("").empty());
  EXPECT_TRUE(sentences(" \n ").empty());
  EXPECT_EQ(sentences("No mark at all  "), (Sentences{"No mark at all"}));
  EXPECT_EQ(sentences("One.\n\nTwo."), (Sentences{"One.", "Two."}));
}

TEST(punkt, without_parameters_every_stop_ends_a_sentence) {
  EXPECT_EQ(punkt_sentences({}, "the hen keeps a coin near the gate. the fox sees a bell."),
            (Sentences{"the hen keeps a coin near the gate.", "the fox sees a bell."}));
}

// Random text of the characters that matter, cut at every length.
TEST(punkt, prefixes_equal_scans_from_the_start) {
  constexpr std::string_view kPieces[] = {"a", "Mr", "St. ", ". ", "? ",  "!", "...", " -- ", "\"",
                                          ")", " ",  "\n",   "7",  "3.5", "B", "p.m", ",",    "é"};
  PythonRandom random(3);
  for (int round = 0; round < 60; ++round) {
    std::string text;
    while (text.size() < 120) text += kPieces[random.below(std::size(kPieces))];
    const PrefixSentences all(parameters(), text);
    for (std::size_t bytes = 0; bytes <= text.size(); ++bytes) {
      ASSERT_EQ(all.sentences(bytes), sentences(std::string_view(text).substr(0, bytes)))
          << text << "\nat " << bytes;
    }
  }
}

TEST(punkt, damaged_parameters_name_file_and_line) {
  const testing::TemporaryFolder folder;
  for (const char* file : {"abbrev_types.txt", "collocations.tab", "sent_starters.txt"}) {
    write_file_atomic(folder / file, "x\n");
  }
  EXPECT_THROW(load_punkt(folder.path()), Error);  // a file is missing
  write_file_atomic(folder / "ortho_context.tab", "word without number\n");
  try {
    load_punkt(folder.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    EXPECT_NE(std::string(error.what()).find("ortho_context.tab"), std::string::npos);
  }
}

}  // namespace
}  // namespace elastic::tasks
