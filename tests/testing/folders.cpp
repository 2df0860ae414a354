#include "tests/testing/folders.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace elastic::testing {
namespace {

namespace fs = std::filesystem;

fs::path environment_or(const char* variable, const fs::path& otherwise) {
  const char* set = std::getenv(variable);
  return set != nullptr && *set != '\0' ? fs::path(set) : otherwise;
}

fs::path shared_folder(const char* variable, const char* name) {
  return environment_or(variable, source_folder() / "../shared" / name);
}

fs::path existing(const fs::path& path) { return fs::exists(path) ? path : fs::path(); }

}  // namespace

fs::path source_folder() { return environment_or("ELASTIC_SOURCE_DIR", ELASTIC_SOURCE_DIR); }

fs::path fixture(std::string_view relative) { return source_folder() / "tests/data" / relative; }

fs::path golden_folder(std::string_view name) {
  return existing(shared_folder("ELASTIC_GOLDEN_DIR", "golden") / name);
}

fs::path data_path(std::string_view relative) {
  return existing(shared_folder("ELASTIC_DATA_DIR", "data") / relative);
}

fs::path word_list_folder() {
  const fs::path folder = environment_or("ELASTIC_DATA_DIR", source_folder() / "build/data");
  return fs::exists(folder / "ruler/wonderwords-3.0.1") ? folder : fs::path();
}

fs::path smollm2_file() {
  const fs::path user = environment_or("HOME", "/") / ".local/share";
  for (const fs::path& folder :
       {environment_or("ELASTIC_DATA_DIR", ""), source_folder() / "build/data",
        environment_or("XDG_DATA_HOME", user) / "elastic-bench"}) {
    const fs::path file = folder / "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
    if (!folder.empty() && fs::exists(file)) return file;
  }
  return {};
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "elastic-bench-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void write_file(const fs::path& file, std::string_view bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

}  // namespace elastic::testing
