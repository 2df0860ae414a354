// Zip archives: any bytes are members or an Error.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "base/error.h"
#include "datasets/archive.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  static const int file = ::memfd_create("archive", 0);
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) {
    return 0;
  }
  try {
    const datasets::ZipArchive archive("/proc/self/fd/" + std::to_string(file));
    for (const std::string& member : archive.members()) archive.read(member, 1 << 20);
  } catch (const Error&) {
  }
  return 0;
}
