#include <gtest/gtest.h>

#include "reports/option_glossary.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

const std::map<std::string, std::string> kSummaries = {
    {"fa", "full attention"},
    {"ssa", "streaming, a window; options sink, local"},
    {"fa-ssa", "fa on retrieval heads, ssa on sparse heads"},
    {"oracle-topk", "oracle, largest scores; options k, sink, local"}};

std::vector<std::vector<Cell>> mode_rows(const std::map<std::string, std::string>& options) {
  runs::RunData run;
  for (const auto& [mode, full] : options) {
    run.spec.modes.push_back(mode);
    run.samples.push_back(make_sample(mode, "ruler/a", 1024, 0, 1));
  }
  run.spec.mode_options = options;
  ReportInput input = input_of(std::move(run));
  input.mode_summaries = kSummaries;
  const Document document = document_of("modes", input);
  return document.tables.empty() ? std::vector<std::vector<Cell>>() : document.tables[0].rows;
}

TEST(Modes, APairSaysWhatBothOfItsHeadModesCompute) {
  const auto rows = mode_rows({{"fa-ssa", "fa-ssa:sink=128,local=256,mystery=3"}});
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0][0].value, Value("fa-ssa"));
  EXPECT_EQ(rows[0][1].value,
            Value("fa on retrieval heads, ssa on sparse heads; fa: full attention; "
                  "ssa: streaming, a window"));
  EXPECT_EQ(
      rows[0][2].value,
      Value("sink=128 (first tokens of the prompt, visible to every later one), local=256 (tokens "
            "right before a query that it sees, the window), mystery=3"));
}

TEST(Modes, ADashOfANameIsNoPair) {
  const auto rows = mode_rows({{"oracle-topk", "oracle-topk:k=64,sink=4"}});
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0][1].value, Value("oracle, largest scores"));
  EXPECT_EQ(
      rows[0][2].value,
      Value("k=64 (keys attended to; below 1: a share of them), sink=4 (first tokens, attended to "
            "always)"));
}

TEST(Modes, UntrainedWeightsKeepTheirOptions) {
  const auto rows = mode_rows({{"moba", "moba:chunk=64,weights=untrained"}});
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0][0].value, Value("moba (untrained)"));
  EXPECT_EQ(rows[0][1].value, Value());
  EXPECT_TRUE(contains(std::get<std::string>(rows[0][2].value), "chunk=64 (tokens of a chunk"));
}

TEST(Modes, AModeOfItsOwnComesBeforeTheCommonMeaning) {
  EXPECT_NE(option_meaning("nsa", "local"), option_meaning("ssa", "local"));
  EXPECT_EQ(option_meaning("duo", "local"), option_meaning("ssa", "local"));
  EXPECT_EQ(option_meaning("ssa", "nothing"), "");
}

TEST(Modes, NothingIsSaidOfModesThatNobodyDescribes) {
  EXPECT_TRUE(mode_rows({{"x", "x"}}).empty());
}

}  // namespace
}  // namespace elastic::reports
