#pragma once

// Where tests find files. Goldens and real data outside the repository are looked up at run time
// and every test over them is skipped, saying so, where the folder is absent:
//   const auto folder = elastic::testing::golden_folder("attention");
//   if (folder.empty()) GTEST_SKIP() << "golden folder absent: attention";

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace elastic::testing {

/// The checkout the tests were built in; $ELASTIC_SOURCE_DIR where
/// the binaries were carried elsewhere.
std::filesystem::path source_folder();

/// tests/data of the checkout.
std::filesystem::path fixture(std::string_view relative);

/// $ELASTIC_GOLDEN_DIR/name, default the shared folder beside the checkout. Empty where absent.
std::filesystem::path golden_folder(std::string_view name);

/// $ELASTIC_DATA_DIR, default the shared folder beside the checkout; with `relative` appended.
/// Empty where absent.
std::filesystem::path data_path(std::string_view relative);

/// Where set-up puts RULER's word lists: $ELASTIC_DATA_DIR, default build/data.
/// Empty where they are absent.
std::filesystem::path word_list_folder();
inline constexpr const char* kNoWordLists = "word lists absent: scripts/setup.sh brings them";

/// Where `data fetch smollm2` puts the model: under $ELASTIC_DATA_DIR, else under build/data or the
/// user's data folder. Empty where it is absent.
std::filesystem::path smollm2_file();
inline constexpr const char* kNoSmollm2 = "model absent: elastic-bench data fetch smollm2";

/// A fresh folder under the system's temporary directory, removed on destruction.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Writes `bytes`, whatever they are; missing folders are made.
void write_file(const std::filesystem::path& file, std::string_view bytes);

}  // namespace elastic::testing
