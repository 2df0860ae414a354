// Bundles of data files, and source packages.

#include "datasets/bundle.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "datasets/import.h"
#include "tests/testing/folders.h"
#include "tests/testing/zip_writer.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

TEST(Bundle, CarriesFilesToAnotherFolder) {
  const TemporaryFolder folder;
  const std::string essays = "{\"text\": \"some words\"}";
  create_folders(folder / "a/ruler");
  write_file_atomic(folder / "a/ruler/PaulGrahamEssays.json", essays);
  const auto files = inspect(*find_sources("ruler/essays").front(), folder / "a");
  EXPECT_EQ(write_bundle(files, folder / "a", folder / "data.zip"),
            std::vector<std::string>{"ruler/PaulGrahamEssays.json"});
  const auto imported = import_path(folder / "data.zip", folder / "b").files;
  ASSERT_EQ(imported.size(), 1U);
  EXPECT_EQ(read_file(folder / "b/ruler/PaulGrahamEssays.json"), essays);
  EXPECT_FALSE(fs::exists(folder / "b/.bundle.part"));
}

constexpr const char* kEssays = R"({"text": "some words"})";
constexpr const char* kEssayPath = "ruler/PaulGrahamEssays.json";

// One entry of a manifest.
std::string entry(std::string_view sha256) {
  return fmt::format(R"({{"path": "{}", "sha256": "{}", "bytes": 22}})", kEssayPath, sha256);
}

std::string refusal(const fs::path& file, const fs::path& data_dir) {
  try {
    import_path(file, data_dir);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    return error.what();
  }
  return "no error";
}

TEST(Bundle, RefusesWhatTheManifestDoesNotSay) {
  const TemporaryFolder folder;
  const std::string good = entry(sha256_hex(kEssays));
  const std::pair<std::string, const char*> manifests[] = {
      {R"({"files": [)" + entry(sha256_hex("other")) + "]}",
       "member `ruler/PaulGrahamEssays.json` is not what the manifest says; nothing was imported"},
      {R"({"files": [)" + good + "," + good + "]}",
       "the manifest names `ruler/PaulGrahamEssays.json` twice"},
      {R"({"file": []})", "the manifest has no `files`"},
      {R"({"files": [], "note": ")" + std::string(1 << 20, ' ') + R"("})",
       "member `elastic-bench-data.json` unpacks to more than 1.0 MiB"},
  };
  for (const auto& [manifest, expected] : manifests) {
    fs::remove(folder / "bad.zip");
    testing::write_zip(folder / "bad.zip",
                       {{std::string(kBundleManifest), manifest}, {kEssayPath, kEssays}});
    const std::string message = refusal(folder / "bad.zip", folder / "b");
    EXPECT_NE(message.find(expected), std::string::npos) << message;
    EXPECT_TRUE(!fs::exists(folder / "b") || fs::is_empty(folder / "b"));
  }
  testing::write_zip(
      folder / "good.zip",
      {{std::string(kBundleManifest), R"({"files": [)" + good + "]}"}, {kEssayPath, kEssays}});
  EXPECT_EQ(refusal(folder / "good.zip", folder / "b"), "no error");
}

TEST(Bundle, WritesNothingOutsideTheFolder) {
  const TemporaryFolder folder;
  testing::write_zip(folder / "out.zip",
                     {{std::string(kBundleManifest), R"({"files": []})"}, {"../escape", "{}"}});
  EXPECT_NE(refusal(folder / "out.zip", folder / "b").find("points outside"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder / "escape"));
  EXPECT_THROW(write_bundle({}, folder.path(), folder / "none.zip"), Error);
}

// What `run` reads in one folder it must find in the other: word lists that two releases share,
// rows without an entry of their own.
TEST(Bundle, CarriesRowsAndSharedWordLists) {
  const auto lists = testing::word_list_folder();
  if (lists.empty()) GTEST_SKIP() << testing::kNoWordLists;
  const TemporaryFolder folder;
  const fs::path words = "ruler/wonderwords-3.0.1", rows = "longbench/derived_rows/trec.jsonl";
  create_folders(folder / "a" / "longbench/derived_rows");
  write_file_atomic(folder / "a" / rows, R"({"input": "i", "context": "c", "answers": ["a"]})");
  create_folders(folder / "a" / words);
  std::vector<FileStatus> files;
  for (const char* list : {"adjectivelist.txt", "nounlist.txt", "verblist.txt"}) {
    fs::copy_file(lists / words / list, folder / "a" / words / list);
  }
  for (const DataSource& source : catalog()) {
    for (const FileStatus& file : inspect(source, folder / "a")) files.push_back(file);
  }
  EXPECT_EQ(write_bundle(files, folder / "a", folder / "data.zip").size(), 4u);
  EXPECT_TRUE(import_path(folder / "data.zip", folder / "b").passed_over.empty());
  for (const fs::path& path :
       {words / "adjectivelist.txt", words / "nounlist.txt", words / "verblist.txt", rows}) {
    EXPECT_EQ(read_file(folder / "b" / path), read_file(folder / "a" / path)) << path;
  }
}

}  // namespace
}  // namespace elastic::datasets
