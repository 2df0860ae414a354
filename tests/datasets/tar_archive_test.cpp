#include "datasets/tar_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/testing/folders.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

const std::string kEnd(1024, '\0');

struct Header {
  std::string name;
  std::string size;  // octal
  char kind = '0';   // regular; '5' a folder, '2' a link, 'x' attributes of the next
  std::string prefix = "";
};

std::string tar_header(const Header& h) {
  std::string header(512, '\0');
  header.replace(0, h.name.size(), h.name);
  header.replace(100, 7, "0000644");
  header.replace(124, h.size.size(), h.size);
  header.replace(148, 8, 8, ' ');
  header[156] = h.kind;
  header.replace(257, 8,
                 std::string("ustar\0"
                             "00",
                             8));
  header.replace(345, h.prefix.size(), h.prefix);
  const int sum = std::accumulate(header.begin(), header.end(), 0,
                                  [](int n, char c) { return n + static_cast<unsigned char>(c); });
  return header.replace(148, 7, fmt::format("{:06o}", sum) + std::string(1, '\0'));
}

std::string padded(const std::string& bytes) {
  return bytes + std::string((512 - bytes.size() % 512) % 512, '\0');
}

std::string tar_member(const std::string& name, const std::string& bytes) {
  return tar_header({name, fmt::format("{:011o}", bytes.size())}) + padded(bytes);
}

void write_gz(const fs::path& file, const std::string& bytes) {
  archive* out = archive_write_new();
  archive_write_set_format_raw(out);
  archive_write_add_filter_gzip(out);
  archive_write_open_filename(out, file.c_str());
  archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_write_header(out, entry);
  archive_write_data(out, bytes.data(), bytes.size());
  archive_entry_free(entry);
  archive_write_free(out);
}

// "name=bytes;" of every member, or the error, the archive being called T.
std::string read_tar(const std::string& bytes, const std::vector<std::string>& members) {
  const TemporaryFolder folder;
  const fs::path file = folder / "t.gz";
  write_gz(file, bytes);
  try {
    std::string all;
    for (const auto& [name, text] : read_tar_gz(file, members)) all += name + "=" + text + ";";
    return all;
  } catch (const Error& error) {
    return replace_all(error.what(), file.string(), "T");
  }
}

// What nobody asks for is passed over whole, whatever its size and kind.
TEST(TarArchive, MembersBehindOthers) {
  std::string bytes;
  for (const std::size_t size : {0, 5, 511, 512, 513, 3000}) {
    bytes += tar_member("p/other", std::string(size, 'o'));
    bytes += tar_header({"p/folder", "00000000000", '5'});
    bytes += tar_header({"p/x", "00000000013", 'x'}) + padded("11 mtime=1\n");
    bytes += tar_member(fmt::format("p/after-{}", size), fmt::format("behind {}", size));
  }
  for (const int size : {0, 5, 511, 512, 513, 3000}) {
    const std::string name = fmt::format("p/after-{}", size);
    EXPECT_EQ(read_tar(bytes + kEnd, {name}), fmt::format("{}=behind {};", name, size));
  }
  EXPECT_EQ(read_tar(bytes + kEnd, {"p/folder"}), "T: has no member `p/folder`");
}

TEST(TarArchive, MembersByName) {
  const std::string two = tar_member("p/a.txt", "first") + tar_member("p/b.txt", "second") + kEnd;
  EXPECT_EQ(read_tar(two, {"p/b.txt", "p/a.txt"}), "p/a.txt=first;p/b.txt=second;");
  EXPECT_EQ(read_tar(two, {"p/c.txt"}), "T: has no member `p/c.txt`");
  const std::string name(100, 'n'), prefix(155, 'p');
  const std::string named = tar_header({name, "2", '0', prefix}) + padded("ab") + kEnd;
  EXPECT_EQ(read_tar(named, {prefix + "/" + name}), prefix + "/" + name + "=ab;");
  EXPECT_EQ(read_tar(named, {name}), "T: has no member `" + name + "`");
  EXPECT_THROW(read_tar_gz("absent.tar.gz", {"x"}), Error);
}

TEST(TarArchive, DamageIsAnError) {
  const std::string bad = "T: not a readable .tar.gz: ";
  const std::string member = tar_member("a", "bytes");
  EXPECT_EQ(read_tar(member.substr(0, 514), {"a"}), bad + "Truncated tar archive");
  EXPECT_EQ(read_tar("z" + member.substr(1) + kEnd, {"a"}), bad + "Unrecognized archive format");
  EXPECT_EQ(read_tar(tar_header({"a", "00040000000"}) + padded("ab"), {"a"}),
            bad + "Truncated tar archive");
  EXPECT_EQ(read_tar(tar_header({"a", "10000000001"}) + padded("ab"), {"a"}),
            bad + "a member of more than 1 GiB");
  EXPECT_EQ(read_tar(tar_header({"a", "40000000001"}) + padded("ab"), {"b"}),
            bad + "more than 4 GiB unpacked");
  const TemporaryFolder folder;
  for (const char* bytes : {"\x1f\x8b not gzip", "x", ""}) {
    write_file_atomic(folder / "t.gz", bytes);
    EXPECT_THROW(read_tar_gz(folder / "t.gz", {"a"}), Error) << bytes;
  }
  write_gz(folder / "t.gz", member + kEnd);
  const std::string whole = read_file(folder / "t.gz");
  for (std::size_t n = 0; n + 8 < whole.size(); n += 7) {  // checksum and size end it
    write_file_atomic(folder / "t.gz", whole.substr(0, n));
    EXPECT_THROW(read_tar_gz(folder / "t.gz", {"a", "b"}), Error) << n;
  }
}

}  // namespace
}  // namespace elastic::datasets
