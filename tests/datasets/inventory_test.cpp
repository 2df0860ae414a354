#include "datasets/inventory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "tests/testing/folders.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

TEST(Inventory, WithoutNamesEverySourceButTheOptionalOnes) {
  const std::vector<const DataSource*> all = choose_sources({});
  EXPECT_EQ(std::ssize(all), std::count_if(catalog().begin(), catalog().end(),
                                           [](const DataSource& s) { return !s.optional; }));
  EXPECT_LT(all.size(), catalog().size());
}

TEST(Inventory, NamesAreSuitesAndSourcesInTheOrderGiven) {
  const std::vector<std::string> names{"plotly", "ruler"};
  const std::vector<const DataSource*> chosen = choose_sources(names);
  ASSERT_EQ(chosen.size(), 1 + find_sources("ruler").size());
  EXPECT_EQ(chosen[0]->name, "plotly");
  EXPECT_TRUE(chosen[1]->name.starts_with("ruler/"));
  EXPECT_THROW(choose_sources(std::vector<std::string>{"rular"}), Error);
}

TEST(Inventory, FaultsNameTheCure) {
  const testing::TemporaryFolder data;
  const std::vector<const DataSource*> plotly = find_sources("plotly");
  std::vector<FileStatus> files = inspect_all(plotly, data.path());
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(fault_of(files[0]), missing_data("plotly"));

  fs::create_directories(data / "plotly");
  std::ofstream(data / "plotly/plotly.min.js") << "other";
  files = inspect_all(plotly, data.path());
  EXPECT_EQ(fault_of(files[0]),
            "plotly/plotly.min.js: sha256 "
            "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa, expected " +
                std::string(plotly[0]->files[0].identities[0].sha256) +
                "; fetch it anew: elastic-bench data fetch plotly");
  files[0].state = FileState::kVerified;
  EXPECT_EQ(fault_of(files[0]), "");
}

TEST(Inventory, AsJsonWhatIsNotKnownIsNull) {
  const testing::TemporaryFolder data;
  const Json json = inventory_json(inspect_all(find_sources("plotly"), data.path()), "here");
  EXPECT_EQ(json.at("data_dir"), "here");
  const Json& file = json.at("files").at(0);
  EXPECT_EQ(file.at("source"), "plotly");
  EXPECT_EQ(file.at("state"), to_string(FileState::kMissing));
  for (const char* key : {"bytes", "sha256", "identity"})
    EXPECT_TRUE(file.at(key).is_null()) << key;
}

}  // namespace
}  // namespace elastic::datasets
