// Bundles of data files, and source packages.

#include "datasets/bundle.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdio>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "datasets/import.h"
#include "datasets/tar_archive.h"
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

std::string tar_member(const std::string& name, const std::string& bytes) {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  char size[13];
  std::snprintf(size, sizeof size, "%011o", static_cast<unsigned>(bytes.size()));
  header.replace(124, 11, size);
  header[156] = '0';
  return header + bytes + std::string((512 - bytes.size() % 512) % 512, '\0');
}

void write_gz(const fs::path& file, const std::string& bytes) {
  gzFile out = gzopen(file.c_str(), "wb");
  gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(out);
}

// What nobody asks for is passed over whole, whatever its size and kind; long names have a prefix.
TEST(TarArchive, MembersBehindOthers) {
  const TemporaryFolder folder;
  std::string bytes;
  for (const std::size_t size : {0, 5, 511, 512, 513, 3000}) {
    bytes += tar_member("p/other", std::string(size, 'o'));
    std::string extended = tar_member("p/pax", std::string(size, 'x'));
    extended[156] = 'x';
    bytes += extended;
    bytes += tar_member(fmt::format("p/after-{}", size), fmt::format("behind {}", size));
  }
  std::string long_name = tar_member("name.txt", "long");
  long_name.replace(345, 6, "p/deep");
  write_gz(folder / "p.tar.gz", bytes + long_name + std::string(1024, '\0'));
  for (const int size : {0, 5, 511, 512, 513, 3000}) {
    const std::string name = fmt::format("p/after-{}", size);
    EXPECT_EQ(read_tar_gz(folder / "p.tar.gz", {name}).at(name), fmt::format("behind {}", size));
  }
  EXPECT_EQ(read_tar_gz(folder / "p.tar.gz", {"p/deep/name.txt"}).at("p/deep/name.txt"), "long");
  EXPECT_THROW(read_tar_gz(folder / "p.tar.gz", {"name.txt"}), Error);
}

TEST(TarArchive, MembersByName) {
  const TemporaryFolder folder;
  const fs::path file = folder / "p.tar.gz";
  const std::string two = tar_member("p/a.txt", "first") + tar_member("p/b.txt", "second");
  write_gz(file, two + std::string(1024, '\0'));
  const auto found = read_tar_gz(file, {"p/b.txt", "p/a.txt"});
  EXPECT_EQ(found.at("p/a.txt"), "first");
  EXPECT_EQ(found.at("p/b.txt"), "second");
  EXPECT_THROW(read_tar_gz(file, {"p/c.txt"}), Error);
  EXPECT_THROW(read_tar_gz(folder / "absent.tar.gz", {"x"}), Error);
  write_gz(file, two.substr(0, 514));
  EXPECT_THROW(read_tar_gz(file, {"p/a.txt"}), Error);
  std::string bad = two;
  bad[124] = 'z';
  write_gz(file, bad);
  EXPECT_THROW(read_tar_gz(file, {"p/a.txt"}), Error);
  write_file_atomic(file, "\x1f\x8b not gzip");
  EXPECT_THROW(read_tar_gz(file, {"p/a.txt"}), Error);
}

}  // namespace
}  // namespace elastic::datasets
