#include "base/standard_streams.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "base/error.h"

namespace elastic {

void open_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    if (::open("/dev/null", O_RDWR) < 0) return;  // the lowest free number, which is `fd`
  }
}

void flush_standard_output() {
  errno = 0;
  std::cout.flush();
  const bool written = std::fflush(stdout) == 0;
  const int code = errno;
  if (written && std::ferror(stdout) == 0 && std::cout.good()) return;
  throw Error(ErrorKind::kIo, fmt::format("standard output: writing failed, results are lost{}",
                                          written ? "" : fmt::format(": {}", std::strerror(code))));
}

}  // namespace elastic
