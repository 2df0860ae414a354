// Source packages (.tar, also compressed): any bytes are members or an Error.

#include "base/error.h"
#include "datasets/tar_archive.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  static const testing::InputFile file;
  file.set(testing::input_text(data, size));
  for (const char* member : {"p/a.txt", "p/b.txt"}) {
    try {
      const auto found = datasets::read_tar_gz(file.path(), {member});
      check(found.size() == 1 && found.contains(member), "the member asked for");
    } catch (const Error&) {
    }
  }
  return 0;
}
