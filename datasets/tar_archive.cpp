#include "datasets/tar_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "datasets/archive.h"

namespace elastic::datasets {
namespace {

constexpr std::int64_t kMaxArchive = std::int64_t{4} << 30;  // unpacked; beyond it is an attack

struct CloseTar {
  void operator()(archive* tar) const { archive_read_free(tar); }
};

class TarReader {
 public:
  explicit TarReader(const std::filesystem::path& path)
      : name_(path.string()), tar_(archive_read_new()) {
    require_file(path);
    archive_read_support_filter_gzip(tar_.get());
    archive_read_support_format_tar(tar_.get());
    check(archive_read_open_filename(tar_.get(), path.c_str(), kReadChunk));
  }

  // The next regular file; false at the end.
  bool next(std::string& name, std::int64_t& size) {
    while (true) {
      stop_if_interrupted();
      archive_entry* entry = nullptr;
      const int status = archive_read_next_header(tar_.get(), &entry);
      if (status == ARCHIVE_EOF) return false;
      check(status);
      size = archive_entry_size(entry);
      declared_ += size;  // more than the archive holds of a sparse member
      if (std::max(declared_, archive_filter_bytes(tar_.get(), 0)) > kMaxArchive) {
        fail("more than 4 GiB unpacked");
      }
      const char* path = archive_entry_pathname(entry);
      if (path == nullptr || archive_entry_filetype(entry) != AE_IFREG) continue;
      name = path;
      return true;
    }
  }

  std::string body(std::int64_t size) {
    if (size > kMaxZipMember) fail("a member of more than 1 GiB");
    std::string bytes;
    while (std::ssize(bytes) < size) {  // in parts: a header alone may claim a gibibyte
      stop_if_interrupted();
      const std::size_t done = bytes.size();
      bytes.resize(std::min(static_cast<std::size_t>(size), done + kReadChunk));
      const la_ssize_t n = archive_read_data(tar_.get(), bytes.data() + done, bytes.size() - done);
      check(static_cast<int>(std::min<la_ssize_t>(n, 0)));
      if (n == 0) fail("ends within a member");
      bytes.resize(done + static_cast<std::size_t>(n));
    }
    return bytes;
  }

 private:
  void check(int status) const {
    if (status < ARCHIVE_WARN) fail(archive_error_string(tar_.get()));
  }

  [[noreturn]] void fail(std::string_view what) const {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: not a readable .tar.gz: {}", name_, what));
  }

  std::string name_;
  std::unique_ptr<archive, CloseTar> tar_;
  std::int64_t declared_ = 0;
};

}  // namespace

std::map<std::string, std::string> read_tar_gz(const std::filesystem::path& path,
                                               const std::vector<std::string>& members) {
  TarReader tar(path);
  std::map<std::string, std::string> found;
  std::string name;
  std::int64_t size = 0;
  while (found.size() < members.size() && tar.next(name, size)) {
    if (std::find(members.begin(), members.end(), name) != members.end()) {
      found[name] = tar.body(size);
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
