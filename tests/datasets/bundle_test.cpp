// Bundles of data files, and source packages.

#include "datasets/bundle.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdio>

#include "base/error.h"
#include "base/file.h"
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
  const auto imported = import_path(folder / "data.zip", folder / "b");
  ASSERT_EQ(imported.size(), 1U);
  EXPECT_EQ(read_file(folder / "b/ruler/PaulGrahamEssays.json"), essays);
  EXPECT_FALSE(fs::exists(folder / "b/.bundle.part"));
}

TEST(Bundle, RefusesWhatTheManifestDoesNotSay) {
  const TemporaryFolder folder;
  const std::string manifest =
      R"({"files": [{"path": "ruler/PaulGrahamEssays.json", "sha256": "00", "bytes": 2}]})";
  testing::write_zip(folder / "bad.zip", {{std::string(kBundleManifest), manifest},
                                          {"ruler/PaulGrahamEssays.json", "{}"}});
  EXPECT_THROW(import_path(folder / "bad.zip", folder / "b"), Error);
  testing::write_zip(folder / "out.zip",
                     {{std::string(kBundleManifest), manifest}, {"../escape", "{}"}});
  EXPECT_THROW(import_path(folder / "out.zip", folder / "b"), Error);
  EXPECT_FALSE(fs::exists(folder / "escape"));
  EXPECT_THROW(write_bundle({}, folder.path(), folder / "none.zip"), Error);
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
