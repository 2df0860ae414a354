#include "datasets/tar_archive.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "datasets/archive.h"

namespace elastic::datasets {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::int64_t kMaxArchive = std::int64_t{4} << 30;  // unpacked; beyond it is an attack

struct CloseGz {
  void operator()(gzFile file) const { gzclose(file); }
};

class TarReader {
 public:
  explicit TarReader(const std::filesystem::path& path) : name_(path.string()) {
    require_file(path);
    file_.reset(gzopen(path.c_str(), "rb"));
    if (!file_) fail("cannot open");
  }

  // The next regular member; false at the end.
  bool next(std::string& name, std::int64_t& size) {
    std::array<char, kBlock> header{};
    while (true) {
      if (!read(header.data(), kBlock) || header[0] == '\0') return false;
      name = text(header, 0, 100);
      if (const std::string prefix = text(header, 345, 155); !prefix.empty()) {
        name = prefix + "/" + name;
      }
      size = octal(text(header, 124, 12));
      if (header[156] == '0' || header[156] == '\0') return true;
      skip(size);
    }
  }

  std::string body(std::int64_t size) {
    if (size > kMaxZipMember) fail("a member of more than 1 GiB");
    std::string bytes;
    while (std::ssize(bytes) < size) {  // in parts: a header alone may claim a gibibyte
      const std::size_t done = bytes.size();
      bytes.resize(std::min(static_cast<std::size_t>(size), done + kReadChunk));
      if (!read(bytes.data() + done, bytes.size() - done)) fail("ends within a member");
    }
    skip_bytes(padding(size));
    return bytes;
  }

  void skip(std::int64_t size) { skip_bytes(size + padding(size)); }

  [[noreturn]] void fail(std::string_view what) const {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: not a readable .tar.gz: {}", name_, what));
  }

 private:
  static std::int64_t padding(std::int64_t size) {
    const auto block = static_cast<std::int64_t>(kBlock);
    return (block - size % block) % block;
  }

  static std::string text(const std::array<char, kBlock>& header, std::size_t at,
                          std::size_t bytes) {
    const char* begin = header.data() + at;
    return {begin, std::find(begin, begin + bytes, '\0')};
  }

  std::int64_t octal(std::string_view digits) const {
    std::int64_t value = 0;
    for (const char c : digits) {
      if (c == ' ') continue;
      if (c < '0' || c > '7' || value > kMaxArchive) fail("a member with a bad size");
      value = value * 8 + (c - '0');
    }
    return value;
  }

  // False at the end of the archive.
  bool read(char* bytes, std::size_t count) {
    stop_if_interrupted();
    read_ += static_cast<std::int64_t>(count);
    if (read_ > kMaxArchive) fail("more than 4 GiB unpacked");
    const int got = gzread(file_.get(), bytes, static_cast<unsigned>(count));
    if (got < 0) fail("damaged");
    return static_cast<std::size_t>(got) == count;
  }

  void skip_bytes(std::int64_t count) {
    std::array<char, kBlock * 16> ignored{};
    while (count > 0) {
      const auto part = std::min<std::int64_t>(count, std::ssize(ignored));
      if (!read(ignored.data(), static_cast<std::size_t>(part))) fail("ends within a member");
      count -= part;
    }
  }

  std::string name_;
  std::unique_ptr<gzFile_s, CloseGz> file_;
  std::int64_t read_ = 0;
};

}  // namespace

std::map<std::string, std::string> read_tar_gz(const std::filesystem::path& path,
                                               const std::vector<std::string>& members) {
  TarReader archive(path);
  std::map<std::string, std::string> found;
  std::string name;
  std::int64_t size = 0;
  while (found.size() < members.size() && archive.next(name, size)) {
    if (std::find(members.begin(), members.end(), name) == members.end()) {
      archive.skip(size);
    } else {
      found[name] = archive.body(size);
    }
  }
  for (const std::string& member : members) {
    if (!found.contains(member)) {
      throw Error(ErrorKind::kNotFound,
                  fmt::format("{}: has no member `{}`", path.string(), member));
    }
  }
  return found;
}

}  // namespace elastic::datasets
