#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"

namespace elastic {
namespace {

[[noreturn]] void fail(ErrorKind kind, const std::filesystem::path& path, std::string_view what,
                       int code) {
  throw Error(kind, fmt::format("{}: {}: {}", path.string(), what, std::strerror(code)));
}

// Of a file to read: absent, or refused by the system.
[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int code) {
  const bool absent = code == ENOENT || code == ENOTDIR;
  fail(absent ? ErrorKind::kNotFound : ErrorKind::kIo, path, what, code);
}

// Of a place to write to: one that cannot be, as the user gave it, or refused by the system.
[[noreturn]] void fail_writing(const std::filesystem::path& path, std::string_view what, int code) {
  const bool wrong = code == ENOENT || code == ENOTDIR || code == EISDIR || code == EEXIST;
  fail(wrong ? ErrorKind::kInvalidArgument : ErrorKind::kIo, path, what, code);
}

// Closes on scope exit unless released.
struct Descriptor {
  explicit Descriptor(int descriptor) : fd(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  int fd;
};

// Returns 0 or the errno of the failing write.
int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

[[noreturn]] void refuse(const std::filesystem::path& path, mode_t mode) {
  const char* cure = S_ISFIFO(mode) ? "; a pipe is read where the path is -" : "";
  const char* what = S_ISDIR(mode)    ? "a folder"
                     : S_ISFIFO(mode) ? "a pipe"
                     : S_ISSOCK(mode) ? "a socket"
                                      : "a device";
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: is {}, expected a file{}", path.string(), what, cure));
}

Descriptor open_regular(const std::filesystem::path& path, struct stat& status) {
  // Non-blocking, so that a pipe without a writer is refused instead of waited for.
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) fail(path, "cannot open", errno);
  if (::fstat(file.fd, &status) != 0) fail(path, "cannot read", errno);
  if (!S_ISREG(status.st_mode)) refuse(path, status.st_mode);
  return file;
}

}  // namespace

void require_file(const std::filesystem::path& path) {
  struct stat status {};
  open_regular(path, status);
}

std::string read_file(const std::filesystem::path& path) {
  if (path == "-") {
    return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  }
  struct stat status {};
  const Descriptor file = open_regular(path, status);
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(status.st_size));
  char buffer[1 << 16];
  while (true) {  // to the end rather than st_size: files of /proc report 0
    const ssize_t n = ::read(file.fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, "cannot read", errno);
    if (n == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(n));
  }
}

std::ifstream open_binary(const std::filesystem::path& path) {
  require_file(path);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(path, "cannot open", errno);
  return file;
}

AtomicFile::AtomicFile(const std::filesystem::path& target) : target_(target) {
  // The number tells files of one process apart; a name left by a dead one is passed over.
  static std::atomic<unsigned> number = 0;
  constexpr int kTries = 100;
  for (int i = 0; i < kTries && fd_ < 0; ++i) {
    temporary_ = target.string() + fmt::format(".tmp{}-{}", ::getpid(), number++);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd_ < 0 && errno != EEXIST) break;
  }
  if (fd_ < 0) fail_writing(temporary_, "cannot create", errno);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  if (const int code = write_all(fd_, bytes); code != 0) fail(target_, "cannot write", code);
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) fail(target_, "cannot write", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    fail_writing(target_, "cannot replace", errno);
  }
  ::close(std::exchange(fd_, -1));
}

void write_file_atomic(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void copy_file_atomic(const std::filesystem::path& from, const std::filesystem::path& to) {
  struct stat status {};
  const Descriptor source = open_regular(from, status);
  AtomicFile target(to);
  std::string chunk(kReadChunk, '\0');
  while (true) {
    stop_if_interrupted();
    const ssize_t n = ::read(source.fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(from, "cannot read", errno);
    if (n == 0) break;
    target.write({chunk.data(), static_cast<std::size_t>(n)});
  }
  target.commit();
}

void create_folders(const std::filesystem::path& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) fail_writing(path, "cannot create the folder", code.value());
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  struct stat status {};
  const Descriptor file = open_regular(path, status);
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED) fail(path, "cannot map", errno);
  data_ = static_cast<const std::uint8_t*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

AppendFile::AppendFile(const std::filesystem::path& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd_ < 0) fail_writing(path, "cannot open for appending", errno);
}

AppendFile::~AppendFile() {
  if (fd_ >= 0) ::close(fd_);
}

void AppendFile::append(std::string_view text) {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) fail(path_, "cannot stat", errno);
  int code = write_all(fd_, text);
  if (code == 0 && ::fdatasync(fd_) != 0) code = errno;
  if (code != 0) {
    if (::ftruncate(fd_, status.st_size) != 0) { /* the reader skips a torn tail */
    }
    fail(path_, "cannot append", code);
  }
}

}  // namespace elastic
