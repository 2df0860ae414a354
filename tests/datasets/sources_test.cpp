#include "datasets/sources.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "datasets/import.h"
#include "tests/testing/folders.h"
#include "tests/testing/loopback_server.h"
#include "tests/testing/zip_writer.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

std::string message_of(auto&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

FileState state_of(std::string_view source, std::string_view path, const fs::path& data) {
  for (const FileStatus& file : inspect(*find_sources(source).front(), data)) {
    if (file.path == path) return file.state;
  }
  return FileState::kMissing;
}

TEST(Catalog, RowsAreWhole) {
  std::set<std::string_view> names;
  for (const DataSource& source : catalog()) {
    SCOPED_TRACE(source.name);
    EXPECT_TRUE(names.insert(source.name).second);
    EXPECT_FALSE(source.licence.empty());
    EXPECT_FALSE(source.files.empty() && source.name_pattern.empty());
    EXPECT_EQ(source.mirrors.empty(), source.kind == SourceKind::kImportOnly);
    for (const std::string_view mirror : source.mirrors) EXPECT_TRUE(mirror.ends_with('/'));
    for (const DataFile& file : source.files) {
      EXPECT_FALSE(fs::path(file.path).is_absolute());
      EXPECT_EQ(file.path.find(".."), std::string_view::npos);
      for (const Identity& identity : file.identities) {
        EXPECT_EQ(identity.sha256.size(), 64u);
        EXPECT_GT(identity.bytes, 0);
        EXPECT_FALSE(identity.label.empty());
      }
    }
  }
}

TEST(Catalog, FindsSuitesAndSources) {
  EXPECT_GT(find_sources("ruler").size(), 5u);
  EXPECT_EQ(find_sources("ruler/squad").size(), 1u);
  for (const DataSource* source : find_sources("ruler")) EXPECT_FALSE(source->optional);
  EXPECT_NE(message_of([] { find_sources("ruler/squat"); }).find("did you mean `ruler/squad`"),
            std::string::npos);
  const std::string text = missing_data("ruler/squad");
  EXPECT_NE(text.find("data fetch ruler/squad"), std::string::npos);
  EXPECT_NE(missing_data("ruler/essays").find("data import"), std::string::npos);
}

TEST(Inspect, StatesOfFiles) {
  const testing::TemporaryFolder data;
  EXPECT_EQ(state_of("ruler/squad", "ruler/squad_dev-v2.0.json", data.path()), FileState::kMissing);
  testing::write_file(data / "ruler/squad_dev-v2.0.json", "{}");
  EXPECT_EQ(state_of("ruler/squad", "ruler/squad_dev-v2.0.json", data.path()),
            FileState::kMismatch);
  testing::write_file(data / "ruler/squad_dev-v2.0_mine.json", "{}");
  EXPECT_EQ(state_of("ruler/squad", "ruler/squad_dev-v2.0_mine.json", data.path()),
            FileState::kUnknown);
  testing::write_file(data / "ruler/PaulGrahamEssays.json", "{\"text\": \"a\"}");
  EXPECT_EQ(state_of("ruler/essays", "ruler/PaulGrahamEssays.json", data.path()),
            FileState::kUnknown);
}

// A data folder that exists is verified as far as the catalogue knows it, and found wrong nowhere.
TEST(Inspect, RealDataFolder) {
  const auto data = testing::data_path("");
  if (data.empty()) GTEST_SKIP() << "data folder absent";
  int verified = 0;
  for (const DataSource& source : catalog()) {
    for (const FileStatus& file : inspect(source, data, kHashInListing)) {
      EXPECT_NE(file.state, FileState::kMismatch) << file.path << " " << file.sha256;
      verified += file.state == FileState::kVerified;
    }
  }
  if (verified == 0) GTEST_SKIP() << "none of the catalogue's files is there";
}

TEST(Fetch, OwnMirrorMustSendTheSameBytes) {
  const testing::TemporaryFolder data;
  testing::LoopbackServer server("not it", {});
  const FetchOptions options{.mirror = server.url("data"),
                             .pull = {.attempts = 1, .pause_seconds = 0}};
  DataSource source = *find_sources("ruler/english-words").front();
  source.mirrors = {};
  const std::string text = message_of([&] { fetch_source(source, data.path(), options); });
  EXPECT_NE(text.find("6 bytes came, expected 8564991"), std::string::npos) << text;
  EXPECT_EQ(server.requests()[0].path, "/data/ruler/english_words.json");
  EXPECT_FALSE(fs::exists(data / "ruler/english_words.json"));
}

TEST(Fetch, OwnMirrorOfASourceWithoutOneIdentity) {
  const testing::TemporaryFolder data;
  testing::LoopbackServer server("{\"text\": \"An essay.\"}",
                                 {{testing::Reply::kBody, 0, 0, "[]"}});
  const FetchOptions options{.mirror = server.url("data/"), .pull = {.attempts = 1}};
  const DataSource& source = *find_sources("ruler/essays").front();
  EXPECT_THROW(fetch_source(source, data.path(), options), Error);  // "[]" is no essay file
  EXPECT_FALSE(fs::exists(data / "ruler/PaulGrahamEssays.json"));
  EXPECT_EQ(fetch_source(source, data.path(), options).size(), 1u);
  EXPECT_TRUE(fetch_source(source, data.path(), options).empty());
}

TEST(Fetch, ImportOnlySourceSaysHow) {
  const testing::TemporaryFolder data;
  const std::string text =
      message_of([&] { fetch_source(*find_sources("ruler/essays").front(), data.path(), {}); });
  EXPECT_NE(text.find("data import"), std::string::npos) << text;
}

TEST(Unpack, SortsParametersAndRefusesWrongMembers) {
  const testing::TemporaryFolder data;
  const DataSource& punkt = *find_sources("ruler/punkt").front();
  std::vector<testing::ZipMember> members;
  for (const DataFile& file : punkt.files) members.push_back({std::string(file.remote), "b\na \n"});
  testing::write_zip(data / "p.zip", members);
  unpack_source(punkt, data / "p.zip", data.path());
  EXPECT_EQ(read_file(data / "ruler/punkt_tab_english/abbrev_types.txt"), "a \nb");

  const DataSource& words = *find_sources("ruler/wonderwords-3.0.1").front();
  members.clear();
  for (const DataFile& file : words.files) members.push_back({std::string(file.remote), "word\n"});
  testing::write_zip(data / "w.zip", members);
  const std::string text = message_of([&] { unpack_source(words, data / "w.zip", data.path()); });
  EXPECT_NE(text.find(sha256_hex("word\n")), std::string::npos) << text;
  EXPECT_FALSE(fs::exists(data / "ruler/wonderwords-3.0.1"));
}

TEST(Import, ByNameWithWrongBytesNamesBothHashes) {
  const testing::TemporaryFolder data;
  const std::string bytes = R"({"data": [{"title": "t", "paragraphs": []}]})";
  testing::write_file(data / "in/dev-v2.0.json", bytes);
  const std::string text =
      message_of([&] { import_path(data / "in/dev-v2.0.json", data / "out"); });
  EXPECT_NE(text.find(sha256_hex(bytes)), std::string::npos) << text;
  EXPECT_NE(text.find("80a5225e"), std::string::npos) << text;
  EXPECT_FALSE(fs::exists(data / "out"));
}

TEST(Import, ByShape) {
  const testing::TemporaryFolder data;
  testing::write_file(data / "in/anything.json", R"({"text": "An essay of ours."})");
  const auto imported = import_path(data / "in/anything.json", data / "out").files;
  ASSERT_EQ(imported.size(), 1u);
  EXPECT_EQ(imported[0].state, FileState::kUnknown);
  EXPECT_EQ(imported[0].paths[0], "ruler/PaulGrahamEssays.json");
  EXPECT_TRUE(fs::exists(data / "out/ruler/PaulGrahamEssays.json"));
  EXPECT_NE(
      import_path(data / "in/anything.json", data / "out").files[0].note.find("already there"),
      std::string::npos);
}

TEST(Import, SubsetKeepsItsName) {
  const testing::TemporaryFolder data;
  testing::write_file(data / "in/hotpot_small.json",
                      R"([{"question": "q", "answer": "a", "context": [["t", ["s"]]]}])");
  EXPECT_EQ(import_path(data / "in/hotpot_small.json", data / "out").files[0].paths[0],
            "ruler/hotpot_small.json");
  testing::write_file(data / "in/hotpot_bad.json", "{}");
  EXPECT_NE(message_of([&] {
              import_path(data / "in/hotpot_bad.json", data / "out");
            }).find("named like"),
            std::string::npos);
}

TEST(Import, OtherFilesInPlaceAreKeptAside) {
  const testing::TemporaryFolder data;
  testing::write_file(data / "in/PaulGrahamEssays.json", R"({"text": "new"})");
  testing::write_file(data / "out/ruler/PaulGrahamEssays.json", R"({"text": "old"})");
  import_path(data / "in", data / "out");
  EXPECT_EQ(read_file(data / "out/ruler/PaulGrahamEssays.json"), R"({"text": "new"})");
  const std::string aside =
      "out/ruler/PaulGrahamEssays.json.replaced-" + sha256_hex(R"({"text": "old"})").substr(0, 8);
  EXPECT_TRUE(fs::exists(data / aside));
}

TEST(Import, WhatNobodyKnowsIsAnError) {
  const testing::TemporaryFolder data;
  testing::write_file(data / "in/notes.txt", "hello");
  EXPECT_NE(
      message_of([&] { import_path(data / "in/notes.txt", data / "out"); }).find("nothing here"),
      std::string::npos);
  EXPECT_NE(message_of([&] { import_path(data / "in", data / "out"); }).find("nothing here"),
            std::string::npos);
  EXPECT_NE(message_of([&] { import_path(data / "absent", data / "out"); }).find("does not exist"),
            std::string::npos);
}

// 2.2.0 and 3.0.1 share two of their three lists; whichever is imported, both lack none of them.
TEST(Import, BytesOfSeveralPlacesGoToAll) {
  const auto lists = testing::word_list_folder();
  if (lists.empty()) GTEST_SKIP() << testing::kNoWordLists;
  const testing::TemporaryFolder data;
  testing::write_file(data / "in/a.txt",
                      read_file(lists / "ruler/wonderwords-3.0.1/adjectivelist.txt"));
  testing::write_file(data / "in/n.txt", read_file(lists / "ruler/wonderwords-3.0.1/nounlist.txt"));
  testing::write_file(data / "in/v.txt", read_file(lists / "ruler/wonderwords-3.0.1/verblist.txt"));
  EXPECT_EQ(import_path(data / "in", data / "out").files.size(), 5u);
  for (const char* list : {"adjectivelist.txt", "nounlist.txt", "verblist.txt"}) {
    EXPECT_TRUE(fs::exists(data / "out/ruler/wonderwords-3.0.1" / list)) << list;
  }
  EXPECT_TRUE(fs::exists(data / "out/ruler/wonderwords-2.2.0/verblist.txt"));
  EXPECT_FALSE(fs::exists(data / "out/ruler/wonderwords-2.2.0/nounlist.txt"));
}

constexpr const char* kAnsweredRow = R"({"input": "i", "context": "c", "answers": ["a"]})";
constexpr const char* kChoiceRow =
    R"({"question": "q", "choice_A": "a", "choice_B": "b", "choice_C": "c", "choice_D": "d", )"
    R"("answer": "A", "context": "c"})";

TEST(Import, RowsOfBenchmarksGoWhereTheirReadersLook) {
  const testing::TemporaryFolder data;
  testing::write_file(data / "in/hotpotqa.jsonl", kAnsweredRow);
  testing::write_file(data / "in/derived_rows/trec.jsonl", kAnsweredRow);
  testing::write_file(data / "in/part.jsonl", kChoiceRow);
  testing::write_file(data / "in/predictions.jsonl", R"({"pred": "x"})");
  testing::write_file(data / "in/README.md", "words");
  const Import import = import_path(data / "in", data / "out");
  EXPECT_EQ(import.files.size(), 3u);
  EXPECT_EQ(import.passed_over,
            (std::vector<fs::path>{data / "in/README.md", data / "in/predictions.jsonl"}));
  EXPECT_EQ(state_of("longbench/rows", "longbench/rows/hotpotqa.jsonl", data / "out"),
            FileState::kUnknown);
  EXPECT_EQ(state_of("longbench/derived-rows", "longbench/derived_rows/trec.jsonl", data / "out"),
            FileState::kUnknown);
  EXPECT_EQ(state_of("longbench_v2/rows", "longbench_v2/part.jsonl", data / "out"),
            FileState::kUnknown);
}

TEST(Import, WholeDataFolder) {
  const auto source = testing::data_path("ruler");
  if (source.empty()) GTEST_SKIP() << "data folder absent: ruler";
  const testing::TemporaryFolder data;
  int verified = 0;
  for (const Imported& file : import_path(source, data.path()).files) {
    for (const std::string& path : file.paths) {
      EXPECT_EQ(sha256_file(data / path), sha256_file(file.from)) << path;
    }
    verified += file.state == FileState::kVerified;
  }
  EXPECT_GT(verified, 0);
}

}  // namespace
}  // namespace elastic::datasets
