#include "datasets/archive.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <zip.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"

namespace elastic::datasets {
namespace {

constexpr zip_int64_t kMaxMembers = 100000;

struct CloseZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

bool unsafe_name(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find('\\') != name.npos) return true;
  if (name.find('\0') != name.npos || (name.size() > 1 && name[1] == ':')) return true;
  const auto parts = split(name, '/');
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

bool is_link(zip_t* archive, zip_uint64_t index) {
  zip_uint8_t system = 0;
  zip_uint32_t attributes = 0;
  if (zip_file_get_external_attributes(archive, index, 0, &system, &attributes) != 0) return false;
  return system == ZIP_OPSYS_UNIX && S_ISLNK(attributes >> 16);
}

}  // namespace

struct ZipArchive::Impl {
  std::string path;
  std::unique_ptr<zip_t, CloseZip> archive;
  std::vector<std::string> members;

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", path, what));
  }

  void check_members() {
    const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
    if (count > kMaxMembers) fail(fmt::format("{} members, more than {}", count, kMaxMembers));
    for (zip_int64_t i = 0; i < count; ++i) {
      const auto index = static_cast<zip_uint64_t>(i);
      const char* name = zip_get_name(archive.get(), index, ZIP_FL_ENC_GUESS);
      if (name == nullptr) fail("a member without a name");
      if (unsafe_name(name)) {
        fail(fmt::format("member `{}` points outside the archive; the archive is refused", name));
      }
      if (is_link(archive.get(), index)) {
        fail(fmt::format("member `{}` is a link; the archive is refused", name));
      }
      if (!std::string_view(name).ends_with('/')) members.emplace_back(name);
    }
  }
};

ZipArchive::ZipArchive(const std::filesystem::path& path) : impl_(std::make_unique<Impl>()) {
  impl_->path = path.string();
  require_file(path);
  int code = 0;
  impl_->archive.reset(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  if (!impl_->archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    impl_->fail(fmt::format("not a readable zip archive: {}", reason));
  }
  impl_->check_members();
}

ZipArchive::~ZipArchive() = default;
ZipArchive::ZipArchive(ZipArchive&&) noexcept = default;

const std::vector<std::string>& ZipArchive::members() const { return impl_->members; }

std::string ZipArchive::read(std::string_view member, std::int64_t max_bytes) const {
  const std::string name(member);
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_stat(impl_->archive.get(), name.c_str(), ZIP_FL_ENC_GUESS, &status) != 0) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: has no member `{}`", impl_->path, name));
  }
  if ((status.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && status.encryption_method != ZIP_EM_NONE) {
    impl_->fail(fmt::format("member `{}` is encrypted", name));
  }
  if ((status.valid & ZIP_STAT_SIZE) == 0 || status.size > static_cast<zip_uint64_t>(max_bytes)) {
    impl_->fail(fmt::format("member `{}` unpacks to more than {}", name, format_bytes(max_bytes)));
  }
  const std::unique_ptr<zip_file_t, CloseMember> file(
      zip_fopen_index(impl_->archive.get(), status.index, 0));
  if (!file) {
    impl_->fail(fmt::format("member `{}`: {}", name, zip_strerror(impl_->archive.get())));
  }
  std::string bytes(status.size, '\0');
  zip_uint64_t done = 0;
  char extra = 0;
  while (true) {  // one byte beyond the end makes libzip compare the checksum
    stop_if_interrupted();
    const bool full = done == status.size;
    const zip_int64_t n =
        zip_fread(file.get(), full ? &extra : bytes.data() + done,
                  full ? 1 : std::min<zip_uint64_t>(status.size - done, kReadChunk));
    if (n < 0) impl_->fail(fmt::format("member `{}`: {}", name, zip_file_strerror(file.get())));
    if (n == 0) break;
    if (full) impl_->fail(fmt::format("member `{}` is longer than it declares", name));
    done += static_cast<zip_uint64_t>(n);
  }
  if (done != status.size) impl_->fail(fmt::format("member `{}` is cut off", name));
  return bytes;
}

}  // namespace elastic::datasets
