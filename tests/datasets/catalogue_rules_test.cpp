// The catalogue as text, data of our own making by hash, states of files about their bounds, and
// the hub's cache and switches.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "datasets/bundle.h"
#include "datasets/catalog.h"
#include "datasets/haystack.h"
#include "datasets/import.h"
#include "datasets/pull.h"
#include "datasets/question_set.h"
#include "datasets/sources.h"
#include "datasets/word_lists.h"
#include "tests/testing/folders.h"
#include "tests/testing/loopback_server.h"
#include "tests/testing/zip_writer.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// Whoever adds or changes a source on purpose writes the hash that this test prints.
TEST(CatalogueRules, EverySourceIsWhatItWas) {
  std::string all;
  for (const DataSource& s : catalog()) {
    all += fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}\n", s.name, s.summary, s.licence,
                       static_cast<int>(s.kind), static_cast<int>(s.shape), s.archive_remote,
                       s.archive.sha256, s.archive.bytes, s.archive.label, s.open, s.optional,
                       s.name_pattern, s.advice);
    for (const std::string_view mirror : s.mirrors) all += fmt::format("  {}\n", mirror);
    for (const DataFile& file : s.files) {
      all += fmt::format("  {} {}", file.path, file.remote);
      for (const Identity& id : file.identities)
        all += fmt::format(" {}/{}/{}", id.sha256, id.bytes, id.label);
      all += "\n";
    }
  }
  EXPECT_EQ(sha256_hex(all).substr(0, 16), "aa1b2d8ffc8245da");
  std::string missing;
  for (const DataSource& s : catalog()) {
    if (!s.files.empty()) missing += missing_data(s.name) + "\n";
  }
  EXPECT_EQ(sha256_hex(missing).substr(0, 16), "7d18892befd54eaf");
  EXPECT_EQ(missing_data("ruler/squad"),
            "data missing: ruler/squad_dev-v2.0.json (SQuAD 2.0 dev, documents and questions of "
            "qa_1; licence: CC BY-SA 4.0); fetch it with `elastic-bench data fetch ruler/squad`, "
            "or import a copy with `elastic-bench data import PATH`");
}

std::string of_questions(const QuestionSet& set) {
  std::string all = join(set.documents, "\n");
  for (const Question& q : set.questions) {
    all += q.text + "|" + join(q.answers, ",");
    for (const auto at : q.gold) all += fmt::format(" {}", at);
    for (const auto at : q.related) all += fmt::format(" ~{}", at);
    all += "\n";
  }
  return sha256_hex(all).substr(0, 16);
}

TEST(CatalogueRules, OurOwnTextsStayWhatTheyAre) {
  EXPECT_EQ(of_questions(synthetic_questions(1)), "f6ac684a9c2bdcc5");
  EXPECT_EQ(of_questions(synthetic_questions(2)), "ab324faf919ac17b");
  const WordLists lists = {
      .nouns = {"hen", "ox", "fox", "seven-up", "elephants", "strawberries", "lighthouse", "Tea"},
      .adjectives = {"red", "", "well-known", "big", "Dutch"},
      .verbs = {}};
  EXPECT_EQ(sha256_hex(synthetic_prose(lists, 5, 400)).substr(0, 16), "09ea0ad4161ec8be");
  EXPECT_EQ(synthetic_prose(lists, 5, 0), "");
  EXPECT_EQ(Haystack(synthetic_prose(lists, 5, 20)).word_count(), 20);
  EXPECT_EQ(error_of([] {
              synthetic_prose({.nouns = {"ox"}, .adjectives = {"red"}, .verbs = {}}, 1, 10);
            }),
            "word lists without plain nouns or adjectives");
  EXPECT_EQ(error_of([] {
              synthetic_prose({.nouns = {"hen"}, .adjectives = {"Red"}, .verbs = {}}, 1, 10);
            }),
            "word lists without plain nouns or adjectives");
}

// A source of two accepted sizes, of which only the size is known.
constexpr Identity kTwo[] = {{"aa", 3, "three"}, {"bb", 5, "five"}};
constexpr DataFile kFiles[] = {{"d/a.json", "a.json", kTwo}};

TEST(CatalogueRules, StatesOfFilesThatAreNotHashed) {
  const testing::TemporaryFolder data;
  create_folders(data / "d");
  DataSource source{.name = "s/x", .files = kFiles, .name_pattern = "d/a*.json"};
  const auto states = [&](std::int64_t limit) {
    std::string all;
    for (const FileStatus& f : inspect(source, data.path(), limit)) {
      all += fmt::format("{} {} {}; ", f.path, f.bytes, to_string(f.state));
    }
    return all;
  };
  EXPECT_EQ(states(0), "d/a.json 0 missing; ");
  write_file_atomic(data / "d/a.json", "12345");
  write_file_atomic(data / "d/ab.json", "1");
  write_file_atomic(data / "d/aa.json", "12");
  write_file_atomic(data / "d/a.jso", "12");
  write_file_atomic(data / "d/b.json", "12");
  EXPECT_EQ(states(4),
            "d/a.json 5 present; d/aa.json 2 unknown corpus; d/ab.json 1 unknown corpus; ");
  EXPECT_EQ(states(5),
            "d/a.json 5 wrong bytes; d/aa.json 2 unknown corpus; d/ab.json 1 unknown corpus; ");
  EXPECT_EQ(states(0), "d/a.json 5 present; d/aa.json 2 present; d/ab.json 1 present; ");
  write_file_atomic(data / "d/a.json", "1234");
  EXPECT_EQ(states(3),
            "d/a.json 4 wrong bytes; d/aa.json 2 unknown corpus; d/ab.json 1 unknown corpus; ");
  source.open = true;
  EXPECT_EQ(states(3),
            "d/a.json 4 present; d/aa.json 2 unknown corpus; d/ab.json 1 unknown corpus; ");
  source.name_pattern = "d/a.jso*n";
  EXPECT_EQ(states(9), "d/a.json 4 unknown corpus; ");
}

TEST(CatalogueRules, SwitchesForbidDownloads) {
  unsetenv("HF_DATASETS_OFFLINE");
  for (const auto& [value, expected] : {std::pair("1", true),
                                        {"true", true},
                                        {"TRUE", true},
                                        {"yes", true},
                                        {"on", true},
                                        {"True", true},
                                        {"ON", true},
                                        {"YES", true},
                                        {"0", false},
                                        {"", false},
                                        {"2", false}}) {
    setenv("HF_HUB_OFFLINE", value, 1);
    EXPECT_EQ(offline(), expected) << value;
    unsetenv("HF_HUB_OFFLINE");
    setenv("HF_DATASETS_OFFLINE", value, 1);
    EXPECT_EQ(offline(), expected) << value;
    unsetenv("HF_DATASETS_OFFLINE");
  }
}

TEST(CatalogueRules, TheHubsCacheIsFoundByItsVariables) {
  const testing::TemporaryFolder folder;
  const std::string url = "https://huggingface.co/datasets/o/n/resolve/c/";
  const std::string inside = "datasets--o--n/snapshots/c/";
  for (const char* root : {"cache", "home/hub", "user/.cache/huggingface/hub"}) {
    create_folders(folder.path() / root / (inside + "deep"));
    write_file_atomic(folder.path() / root / (inside + "f.json"), "x");
    write_file_atomic(folder.path() / root / (inside + "deep/g.json"), "x");
  }
  const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  unsetenv("HF_HUB_CACHE");
  unsetenv("HF_HOME");
  setenv("HOME", (folder / "user").c_str(), 1);
  EXPECT_EQ(hub_cached_file(url + "f.json"),
            folder.path() / "user/.cache/huggingface/hub" / (inside + "f.json"));
  setenv("HF_HOME", (folder / "home").c_str(), 1);
  EXPECT_EQ(hub_cached_file(url + "f.json"), folder.path() / "home/hub" / (inside + "f.json"));
  setenv("HF_HUB_CACHE", (folder / "cache").c_str(), 1);
  EXPECT_EQ(hub_cached_file(url + "deep/g.json"),
            folder.path() / "cache" / (inside + "deep/g.json"));
  for (const char* other : {"https://huggingface.co/datasets/o/n/raw/c/f.json",
                            "https://huggingface.co/o/n/resolve/c/f.json",
                            "https://huggingface.co/datasets/o/n/resolve/c",
                            "https://example.org/datasets/o/n/resolve/c/f.json",
                            "https://huggingface.co/datasets/o/n/resolve/c/absent"}) {
    EXPECT_EQ(hub_cached_file(other), "") << other;
  }
  setenv("HOME", home.c_str(), 1);
  unsetenv("HF_HOME");
  unsetenv("HF_HUB_CACHE");
}

TEST(CatalogueRules, ProgressIsToldFromTheBeginningOfTheFile) {
  const testing::TemporaryFolder folder;
  const std::string body(100, 'x');
  testing::LoopbackServer server(body, {});
  write_file_atomic(folder / "f.part", body.substr(0, 1));
  std::vector<std::pair<std::int64_t, std::int64_t>> all;
  PullOptions options{.attempts = 1, .pause_seconds = 0};
  options.progress = [&](std::int64_t done, std::int64_t total) { all.emplace_back(done, total); };
  pull(
      {.urls = {server.url("f")}, .target = folder / "f", .sha256 = sha256_hex(body), .bytes = 100},
      options);
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.front(), (std::pair<std::int64_t, std::int64_t>{1, 0}));
  EXPECT_EQ(all.back(), (std::pair<std::int64_t, std::int64_t>{100, 100}));
  EXPECT_EQ(server.requests()[0].range, "bytes=1-");
  EXPECT_EQ(read_file(folder / "f"), body);
}

TEST(CatalogueRules, WordListsLoseTheirLastLineEndOnly) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "nounlist.txt", "b \n\n a\t\n");
  write_file_atomic(folder / "adjectivelist.txt", "x");
  write_file_atomic(folder / "verblist.txt", "");
  const WordLists lists = load_word_lists(folder.path());
  EXPECT_EQ(lists.nouns, (std::vector<std::string>{"b", "", " a"}));
  EXPECT_EQ(lists.adjectives, (std::vector<std::string>{"x"}));
  EXPECT_EQ(all_words(lists), (std::vector<std::string>{"", " a", "b", "x"}));
}

TEST(CatalogueRules, ArchivesAreUnpackedMemberByMember) {
  const testing::TemporaryFolder data;
  testing::write_zip(data / "a.zip", {{"a.json", "b\r\n\na\n"}});
  DataSource source{.name = "s/x", .files = kFiles, .archive_remote = "a.zip"};
  EXPECT_EQ(error_of([&] { unpack_source(source, data / "a.zip", data.path()); }),
            fmt::format("{}: member `a.json` has sha256 {}, expected aa", (data / "a.zip").string(),
                        sha256_hex("b\r\n\na\n")));
  source.open = true;
  EXPECT_EQ(unpack_source(source, data / "a.zip", data.path()),
            std::vector<std::string>{"d/a.json"});
  EXPECT_EQ(read_file(data / "d/a.json"), "a\nb");
}

}  // namespace
}  // namespace elastic::datasets
