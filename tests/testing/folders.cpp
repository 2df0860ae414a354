#include "tests/testing/folders.h"

#include <unistd.h>

#include <cstdlib>

namespace elastic::testing {
namespace {

namespace fs = std::filesystem;

fs::path shared_folder(const char* variable, const char* name) {
  if (const char* set = std::getenv(variable); set != nullptr && *set != '\0') return set;
  return fs::path(ELASTIC_SOURCE_DIR) / "../shared" / name;
}

fs::path existing(const fs::path& path) { return fs::exists(path) ? path : fs::path(); }

}  // namespace

fs::path fixture(std::string_view relative) { return fs::path(ELASTIC_TEST_DATA) / relative; }

fs::path golden_folder(std::string_view name) {
  return existing(shared_folder("ELASTIC_GOLDEN_DIR", "golden") / name);
}

fs::path data_path(std::string_view relative) {
  return existing(shared_folder("ELASTIC_DATA_DIR", "data") / relative);
}

fs::path word_list_folder() {
  const char* set = std::getenv("ELASTIC_DATA_DIR");
  const fs::path folder =
      set != nullptr ? fs::path(set) : fs::path(ELASTIC_SOURCE_DIR) / "build/data";
  return fs::exists(folder / "ruler/wonderwords-3.0.1") ? folder : fs::path();
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

}  // namespace elastic::testing
