// What RULER's data are made from, exactly: files and their catalogue entries, and what is said
// where one is missing.

#include "tasks/ruler/sources.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <functional>
#include <stdexcept>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "datasets/catalog.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

std::string told(const std::function<std::string()>& act, const fs::path& root = "/nowhere") {
  std::string text;
  try {
    text = act();
  } catch (const Error& error) {
    text = fmt::format("{} {}", static_cast<int>(error.kind()), error.what());
  }
  return replace_all(text, root.string(), "ROOT") + "\n";
}

std::string first_hash(std::string_view text) { return sha256_hex(text).substr(0, 8); }

TEST(RulerSources, PublishedCopiesAreKnownByTheirHash) {
  const datasets::DataFile& essays = datasets::find_sources("ruler/essays").front()->files.front();
  for (const datasets::Identity& copy : essays.identities) {
    EXPECT_TRUE(is_published("PaulGrahamEssays.json", copy.sha256)) << copy.label;
    EXPECT_FALSE(is_published("squad_dev-v2.0.json", copy.sha256)) << copy.label;
  }
  EXPECT_FALSE(is_published("PaulGrahamEssays.json", sha256_hex("others")));
}

TEST(RulerSources, FilesBelongToCatalogueEntries) {
  std::string all = "\n";
  for (const char* file :
       {"PaulGrahamEssays.json", "english_words.json", "hotpot_dev_distractor_v1.json",
        "prompts-gen-a.json", "prompts-gen-b.json", "punkt_tab_english/abbrev_types.txt",
        "squad_dev-v2.0.json", "wonderwords-2.2.0/nounlist.txt",
        "wonderwords-3.0.1/verblist.txt"}) {
    const std::string name(catalogue_name(file));
    const std::string missing = fmt::format("1 ruler/{}: {}", file, datasets::missing_data(name));
    all += replace_all(
        name + ": " + told([&]() -> std::string { throw_missing_ruler("ruler", file); }), missing,
        "MISSING");
  }
  all = replace_all(all,
                    "; or use --profile ruler@builtin, which needs no download but the word lists",
                    " OR BUILTIN");
  EXPECT_THROW(catalogue_name("a"), std::logic_error);
  EXPECT_EQ(all, R"(
ruler/essays: MISSING OR BUILTIN
ruler/english-words: MISSING OR BUILTIN
ruler/hotpotqa: MISSING OR BUILTIN
ruler/prompts-gen-a: MISSING OR BUILTIN
ruler/prompts-gen-b: MISSING OR BUILTIN
ruler/punkt: MISSING OR BUILTIN
ruler/squad: MISSING OR BUILTIN
ruler/wonderwords-2.2.0: MISSING
ruler/wonderwords-3.0.1: MISSING
)");
}

// A folder of RULER's files without the ones named.
class PartialFolder {
 public:
  explicit PartialFolder(std::initializer_list<const char*> missing) {
    fs::copy(testing::fixture("ruler/data/ruler"), folder_.path(), fs::copy_options::recursive);
    for (const char* name : missing) fs::remove_all(folder_ / name);
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  testing::TemporaryFolder folder_;
};

std::string shown_questions(const datasets::QuestionSet& set) {
  std::string text;
  for (const std::string& document : set.documents) text += document + "\n";
  for (const auto& question : set.questions) text += question.text + "\n";
  return fmt::format("{} documents, {} questions, {}", set.documents.size(), set.questions.size(),
                     first_hash(text));
}

using Part = std::function<std::string(const Sources&)>;

const std::pair<const char*, Part> kParts[] = {
    {"keys", [](const Sources& s) { return fmt::format("{} {}", s.keys().size(), s.keys()[17]); }},
    {"words", [](const Sources& s) { return fmt::format("{}", s.words().size()); }},
    {"dictionary",
     [](const Sources& s) {
       const WordSource& words = s.large_dictionary();
       return fmt::format("{} {} {}", words.size, words.at(0), words.at(words.size - 1));
     }},
    {"essays",
     [](const Sources& s) {
       return fmt::format("{} {}", s.essays().word_count(), first_hash(s.essays().text()));
     }},
    {"sentences",
     [](const Sources& s) {
       std::string text;
       for (const auto sentence : s.essay_sentences(30)) text += fmt::format("{}|", sentence);
       return fmt::format("{} {}", s.essay_sentences(1 << 20).size(), first_hash(text));
     }},
    {"squad",
     [](const Sources& s) { return shown_questions(s.questions(QuestionSource::kSquad)); }},
    {"hotpotqa",
     [](const Sources& s) { return shown_questions(s.questions(QuestionSource::kHotpotqa)); }},
};

TEST(RulerSources, AreReadOrMade) {
  std::string all = "\n";
  for (const bool builtin : {false, true}) {
    const auto sources = [builtin](const char* list) {
      return Sources({.ruler_folder = testing::fixture("ruler/data/ruler"),
                      .wordlist = list,
                      .builtin = builtin});
    };
    const Sources old_list = sources("2.2.0"), new_list = sources("3.0.1");
    all += builtin ? "made\n" : "read\n";
    for (const auto& [name, part] : kParts) {
      const std::string a = part(old_list), b = part(new_list);
      all += fmt::format("  {} {}\n", name, a == b ? a : a + " / " + b);
    }
  }
  EXPECT_EQ(all, R"(
read
  keys 6431 able-canyon
  words 203
  dictionary 8437 ableanchor hardwrite
  essays 11239 ac0235c4
  sentences 858 e58b5e6a
  squad 18 documents, 18 questions, 75af7c9d
  hotpotqa 120 documents, 12 questions, 7d00cca2
made
  keys 6431 able-canyon
  words 203
  dictionary 6431 able-anchor young-zither / 6431 able-anchor young-zephyr
  essays 400000 eff2d6a6
  sentences 40000 ab8a9149
  squad 1200 documents, 1200 questions, 2d6b5e61
  hotpotqa 2400 documents, 1200 questions, 91c46daf
)");
}

TEST(RulerSources, NameWhatIsMissing) {
  std::string all = "\n";
  for (const char* missing :
       {"wonderwords-3.0.1/nounlist.txt", "wonderwords-3.0.1/adjectivelist.txt",
        "wonderwords-3.0.1/verblist.txt", "english_words.json", "PaulGrahamEssays.json",
        "punkt_tab_english/abbrev_types.txt", "punkt_tab_english/collocations.tab",
        "punkt_tab_english/sent_starters.txt", "punkt_tab_english/ortho_context.tab",
        "squad_dev-v2.0_small.json", "hotpot_small.json"}) {
    const PartialFolder folder({missing});
    all += fmt::format("{}:", missing);
    for (const bool builtin : {false, true}) {
      if (builtin && !std::string_view(missing).starts_with("wonderwords")) continue;
      const Sources sources(
          {.ruler_folder = folder.path(), .wordlist = "3.0.1", .builtin = builtin});
      for (const auto& [name, part] : kParts) {
        const std::string text = told([&, &part = part] { return part(sources); }, folder.path());
        const std::size_t file = text.find("ROOT/");
        if (file == std::string::npos) continue;
        EXPECT_EQ(text.substr(file + 5, std::string_view(missing).substr(0, 7).size()),
                  std::string_view(missing).substr(0, 7));
        all += fmt::format(" {}{}", builtin ? "our own " : "", name);
      }
    }
    all += "\n";
  }
  EXPECT_EQ(all, R"(
wonderwords-3.0.1/nounlist.txt: keys words our own keys our own words our own dictionary our own essays our own sentences
wonderwords-3.0.1/adjectivelist.txt: keys words our own keys our own words our own dictionary our own essays our own sentences
wonderwords-3.0.1/verblist.txt: keys words our own keys our own words our own dictionary our own essays our own sentences
english_words.json: dictionary
PaulGrahamEssays.json: essays sentences
punkt_tab_english/abbrev_types.txt: sentences
punkt_tab_english/collocations.tab: sentences
punkt_tab_english/sent_starters.txt: sentences
punkt_tab_english/ortho_context.tab: sentences
squad_dev-v2.0_small.json: squad
hotpot_small.json: hotpotqa
)");
}

TEST(RulerSources, QuestionFilesAreTheOfficialOnesElseTheFirst) {
  const testing::TemporaryFolder folder;
  const Sources sources({.ruler_folder = folder.path()});
  std::string all = "\n";
  const auto look = [&] {
    all += fmt::format("{} {}\n", sources.question_file(QuestionSource::kSquad),
                       sources.question_file(QuestionSource::kHotpotqa));
  };
  look();
  for (const char* name :
       {"squad_dev-v2.0.txt", "hotpot.txt", "other.json", "squad_dev-v2.0_b.json", "hotpot_b.json",
        "squad_dev-v2.0_a.json", "hotpot_a.json", "squad_dev-v2.0_c.json", "dev-v2.0.json",
        "squad_dev-v2.0.json", "hotpot_dev_distractor_v1.json"}) {
    write_file_atomic(folder / name, "{}");
    look();
  }
  EXPECT_EQ(all, R"(
squad_dev-v2.0.json hotpot_dev_distractor_v1.json
squad_dev-v2.0.json hotpot_dev_distractor_v1.json
squad_dev-v2.0.json hotpot_dev_distractor_v1.json
squad_dev-v2.0.json hotpot_dev_distractor_v1.json
squad_dev-v2.0_b.json hotpot_dev_distractor_v1.json
squad_dev-v2.0_b.json hotpot_b.json
squad_dev-v2.0_a.json hotpot_b.json
squad_dev-v2.0_a.json hotpot_a.json
squad_dev-v2.0_a.json hotpot_a.json
dev-v2.0.json hotpot_a.json
squad_dev-v2.0.json hotpot_a.json
squad_dev-v2.0.json hotpot_dev_distractor_v1.json
)");
}

TEST(RulerSources, FilesAreHashedOnce) {
  const testing::TemporaryFolder folder;
  const Sources sources({.ruler_folder = folder.path()});
  write_file_atomic(folder / "a", "1");
  write_file_atomic(folder / "c", "3");
  using Hashes = std::map<std::string, std::string>;
  const Hashes expected = {{"ruler/a", sha256_hex("1")}, {"ruler/c", sha256_hex("3")}};
  EXPECT_EQ(sources.hash_files({"a", "b", "c"}), expected);
  write_file_atomic(folder / "a", "2");
  EXPECT_EQ(sources.hash_files({"a", "b", "c"}), expected);
  EXPECT_EQ(sources.hash_files({}), Hashes{});
}

}  // namespace
}  // namespace elastic::tasks
