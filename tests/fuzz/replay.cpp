// main() of a fuzz target without libFuzzer: nothing, then every file given and every file below a
// folder given, once.

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "base/file.h"

namespace fs = std::filesystem;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void feed(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<fs::path> files;
  for (const fs::path given : std::vector<std::string>(argv + 1, argv + argc)) {
    if (!fs::is_directory(given)) {
      files.push_back(given);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(given)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  feed("");
  for (const fs::path& file : files) {
    std::cout << file.string() << std::endl;  // the last line names what broke the target
    feed(elastic::read_file(file));
  }
  std::cout << files.size() << " files read\n";
}
