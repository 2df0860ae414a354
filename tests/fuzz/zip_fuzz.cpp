// Zip archives: any bytes are members or an Error.

#include <cstdint>
#include <string>

#include "base/error.h"
#include "datasets/archive.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  static const testing::InputFile file;
  file.set(testing::input_text(data, size));
  try {
    const datasets::ZipArchive archive(file.path());
    for (const std::string& member : archive.members()) archive.read(member, 1 << 20);
  } catch (const Error&) {
  }
  return 0;
}
