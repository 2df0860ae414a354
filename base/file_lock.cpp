#include "base/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/log.h"

namespace elastic {

FileLock::FileLock(const std::filesystem::path& path, Wait wait) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd_ < 0) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot create: {}", path.string(), std::strerror(errno)));
  }
  int status = 0;
  do {
    status = ::flock(fd_, LOCK_EX | (wait == Wait::kNo ? LOCK_NB : 0));
  } while (status != 0 && errno == EINTR);
  if (status == 0) return;
  const int code = errno;
  if (code == EWOULDBLOCK) {
    ::close(fd_);
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: another process is writing into this folder; wait for it, or "
                            "choose another --output",
                            path.parent_path().string()));
  }
  log_warning(
      fmt::format("{}: this file system has no locks ({}): do not start two processes on "
                  "one folder",
                  path.string(), std::strerror(code)));
}

FileLock::~FileLock() { ::close(fd_); }

}  // namespace elastic
