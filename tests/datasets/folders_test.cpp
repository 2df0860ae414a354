#include "datasets/folders.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <string>

#include "tests/testing/folders.h"

namespace elastic::datasets {
namespace {

// Sets or clears the variables that matter for one test and puts the old values back.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& values) {
    for (const char* name :
         {"ELASTIC_DATA_DIR", "ELASTIC_CACHE_DIR", "XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME"}) {
      const char* old = std::getenv(name);
      old_[name] = old == nullptr ? std::nullopt : std::optional<std::string>(old);
      const auto value = values.find(name);
      value == values.end() ? unsetenv(name) : setenv(name, value->second.c_str(), 1);
    }
  }
  ~Environment() {
    for (const auto& [name, value] : old_) {
      value ? setenv(name.c_str(), value->c_str(), 1) : unsetenv(name.c_str());
    }
  }

 private:
  std::map<std::string, std::optional<std::string>> old_;
};

TEST(folders, option_beats_variable_beats_xdg) {
  const testing::TemporaryFolder temporary;
  std::filesystem::create_directories(temporary / "xdg/elastic-bench");
  const Environment environment(
      {{"ELASTIC_DATA_DIR", "/set"}, {"XDG_DATA_HOME", (temporary / "xdg").string()}});
  EXPECT_EQ(data_folder("/given"), "/given");
  EXPECT_EQ(data_folder(), "/set");
  unsetenv("ELASTIC_DATA_DIR");
  EXPECT_EQ(data_folder(), temporary / "xdg/elastic-bench");
}

TEST(folders, relative_xdg_value_is_ignored) {
  const Environment environment({{"XDG_CACHE_HOME", "relative"}, {"HOME", "/home/someone"}});
  EXPECT_EQ(cache_folder(), "/home/someone/.cache/elastic-bench");
  EXPECT_EQ(cache_folder("/given"), "/given");
}

TEST(folders, without_a_home_the_program_folder_is_used) {
  const Environment environment({});
  EXPECT_EQ(data_folder().filename(), "data");
  EXPECT_TRUE(data_folder().is_absolute());
  EXPECT_EQ(cache_folder().filename(), "cache");
}

}  // namespace
}  // namespace elastic::datasets
