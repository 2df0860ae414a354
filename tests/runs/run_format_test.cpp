// docs/run_format.md is the contract: its examples are read here, and written back with the same
// keys in the same order.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "runs/record_json.h"
#include "tests/testing/folders.h"

namespace elastic::runs {
namespace {

std::vector<std::string> json_examples() {
  const std::string page = read_file(elastic::testing::source_folder() / "docs/run_format.md");
  constexpr std::string_view kOpen = "```json\n";
  std::vector<std::string> examples;
  for (std::size_t at = page.find(kOpen); at != std::string::npos; at = page.find(kOpen, at)) {
    at += kOpen.size();
    examples.push_back(page.substr(at, page.find("```", at) - at));
  }
  return examples;
}

std::vector<std::string> keys(const Json& json) {
  std::vector<std::string> names;
  for (const auto& [key, value] : json.items()) names.push_back(key);
  return names;
}

TEST(RunFormat, ExamplesOfTheContractRoundTrip) {
  const std::vector<std::string> examples = json_examples();
  ASSERT_EQ(examples.size(), 2u);
  const Json run = parse_json(examples[0], "example 1");
  const RunSpec spec = spec_from_json({run, "example 1"});
  EXPECT_EQ(spec.planned.at({"fa", "ruler/niah_single_1", 1024}), 2);
  EXPECT_EQ(spec.lengths, std::vector<std::int64_t>{1024});
  EXPECT_EQ(keys(spec_to_json(spec)), keys(run));
  EXPECT_EQ(spec_to_json(spec)["mode_options"], run["mode_options"]);

  const Json line = parse_json(examples[1], "example 2");
  const SampleRecord record = record_from_json({line, "example 2"});
  EXPECT_EQ(record.routing.size(), 2u);
  EXPECT_EQ(record.strata.at("needle_depth"), "33");
  EXPECT_EQ(parse_json(record_line(record), "again").dump(), line.dump());
}

}  // namespace
}  // namespace elastic::runs
