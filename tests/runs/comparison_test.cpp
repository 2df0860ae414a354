// Which samples of two runs are set against each other, and which runs are not.

#include "runs/comparison.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace elastic::runs {
namespace {

// `samples` of one task and length, all with this score.
void add_cell(RunData& run, const std::string& task, std::int64_t length, int samples,
              double score) {
  for (int i = 0; i < samples; ++i) {
    SampleRecord r;
    r.key = task + std::to_string(length) + "/" + std::to_string(i);
    r.mode = "fa";
    r.task = task;
    r.length = length;
    r.index = i;
    r.prompt_sha256 = "prompt of " + r.key;
    r.ids_sha256 = "ids of " + r.key;
    r.references = {"x"};
    r.score = score;
    run.samples.push_back(r);
  }
  run.spec.planned[{"fa", task, length}] = samples;
  run.spec.data_ids[{task, length}] =
      "data of " + task + std::to_string(length) + " x " + std::to_string(samples);
}

RunData run_of(const std::string& folder, int samples, double score) {
  RunData run;
  run.folder = folder;
  run.spec.modes = {"fa"};
  run.spec.settings = {
      {"profile_ruler", "ruler@builtin"}, {"bos", "single"}, {"model_template", "base"}};
  add_cell(run, "ruler/vt", 1024, samples, score);
  return run;
}

std::string refusal(const RunData& a, const RunData& b) {
  try {
    compare_runs(a, b, {});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    return error.what();
  }
  ADD_FAILURE() << "compared";
  return "";
}

void expect_refused(const RunData& a, const RunData& b, const std::string& why) {
  const std::string text = refusal(a, b);
  EXPECT_NE(text.find(why), std::string::npos) << text;
  const ComparedRuns allowed = compare_runs(a, b, {.allow_different = true});
  ASSERT_EQ(allowed.unlike.size(), 1u);
  EXPECT_NE(allowed.unlike[0].find(why), std::string::npos) << allowed.unlike[0];
}

TEST(Comparison, FiveSamplesProveNoSmallLoss) {
  const ComparedRuns lost = compare_runs(run_of("a", 5, 1), run_of("b", 5, 0), {});
  ASSERT_EQ(lost.rows.size(), 1u);
  EXPECT_TRUE(lost.suites.empty()) << "one row is its own suite";
  EXPECT_FALSE(excludes_loss(lost.rows[0].result, 2));
  EXPECT_FALSE(excludes_loss(lost.rows[0].result, 99));
  EXPECT_GT(lost.rows[0].result.smallest_visible, 0.4);
  const ComparedRuns same = compare_runs(run_of("a", 5, 1), run_of("b", 5, 1), {});
  EXPECT_FALSE(excludes_loss(same.rows[0].result, 2));
  EXPECT_TRUE(excludes_loss(same.rows[0].result, 50));
  const ComparedRuns many = compare_runs(run_of("a", 400, 1), run_of("b", 400, 1), {});
  EXPECT_TRUE(excludes_loss(many.rows[0].result, 2));
}

TEST(Comparison, RunsOfDifferentLimitsCompareWhatTheyShare) {
  const ComparedRuns compared = compare_runs(run_of("a", 10, 1), run_of("b", 4, 1), {});
  ASSERT_EQ(compared.rows.size(), 1u);
  EXPECT_EQ(compared.rows[0].result.n, 4);
  EXPECT_EQ(compared.rows[0].left_out, 6);
  ASSERT_EQ(compared.notes.size(), 1u);
  EXPECT_EQ(compared.notes[0],
            "ruler/vt at 1k: 10 and 4 samples planned, the 4 shared ones compared");
  EXPECT_TRUE(compared.unlike.empty());
}

TEST(Comparison, ASetWithHolesIsRefused) {
  RunData b = run_of("b", 10, 1);
  b.samples.erase(b.samples.begin() + 3);
  expect_refused(run_of("a", 10, 1), b, "ruler/vt at 1k: 1 of 10 samples have no counterpart");
  b = run_of("b", 4, 1);
  b.samples.pop_back();
  expect_refused(run_of("a", 10, 1), b, "1 of 4 samples have no counterpart");
}

TEST(Comparison, UnlikeRunsAreRefused) {
  const RunData a = run_of("a", 10, 1);
  RunData b = run_of("b", 10, 1);
  b.samples[2].prompt_sha256 = "another";
  expect_refused(a, b, "1 of 10 samples have other prompts (prompt_sha256)");
  b = run_of("b", 10, 1);
  b.samples[2].ids_sha256 = b.samples[3].ids_sha256 = "another";
  expect_refused(a, b, "2 of 10 samples have other prompt ids (ids_sha256)");
  b = run_of("b", 10, 1);
  b.samples[2].references = {"y"};
  expect_refused(a, b, "1 of 10 samples have other references");
  b = run_of("b", 10, 1);
  b.spec.data_ids.begin()->second = "others";
  expect_refused(a, b, "the data of ruler/vt at 1k differ");
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"bos", "official"},
                                                        {"model_template", "meta-llama3"},
                                                        {"profile_ruler", "ruler@gen-b"}}) {
    b = run_of("b", 10, 1);
    b.spec.settings[key] = value;
    expect_refused(a, b, value);
  }
}

// Hashes that one side lacks (predictions scored from files) are not differences.
TEST(Comparison, UnknownHashesAndSettingsCompare) {
  RunData b = run_of("b", 10, 1);
  for (SampleRecord& r : b.samples) r.prompt_sha256 = r.ids_sha256 = "";
  b.spec.settings.clear();
  b.spec.data_ids.clear();
  b.spec.planned.clear();
  EXPECT_EQ(compare_runs(run_of("a", 10, 1), b, {}).rows[0].result.n, 10);
}

TEST(Comparison, FailedSamplesAreNoPairs) {
  RunData b = run_of("b", 10, 1);
  b.samples[0].outcome = Outcome::kError;
  b.samples[1].score.reset();
  const ComparedRow row = compare_runs(run_of("a", 10, 1), b, {}).rows[0];
  EXPECT_EQ(row.result.n, 8);
  EXPECT_EQ(row.left_out, 2);
}

TEST(Comparison, ASuiteHasARowOfItsOwn) {
  RunData a = run_of("a", 20, 1), b = run_of("b", 20, 0);
  add_cell(a, "ruler/vt", 2048, 20, 0);
  add_cell(b, "ruler/vt", 2048, 20, 0);
  add_cell(a, "ruler/cwe", 2048, 20, 0);
  add_cell(b, "ruler/cwe", 2048, 20, 1);
  const ComparedRuns compared = compare_runs(a, b, {});
  ASSERT_EQ(compared.rows.size(), 3u);
  ASSERT_EQ(compared.suites.size(), 1u);
  const ComparedRow& suite = compared.suites[0];
  EXPECT_EQ(suite.task, "ruler");
  EXPECT_EQ(suite.result.n, 60);
  EXPECT_NEAR(suite.result.difference, (-1 + (0 + 1) / 2.0) / 2, 1e-12);
}

TEST(Comparison, ModesAreNamed) {
  RunData a = run_of("a", 4, 1), b = run_of("b", 4, 1);
  b.spec.modes = {"ssa"};
  for (SampleRecord& r : b.samples) r.mode = "ssa";
  EXPECT_EQ(compare_runs(a, b, {}).rows[0].mode_b, "ssa") << "the only one of each";
  b.spec.modes = {"ssa", "xa"};
  EXPECT_NE(refusal(a, b).find("no scored sample in common"), std::string::npos);
  EXPECT_EQ(compare_runs(a, b, {.mode_a = "fa", .mode_b = "ssa"}).rows[0].result.n, 4);
  try {
    compare_runs(a, b, {.mode_b = "xx"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("has no mode xx"), std::string::npos);
  }
}

// Either side may have samples of its own, failures and other truths: each is left out once.
TEST(Comparison, LeftOutCountsWhatIsNoPair) {
  RunData a = run_of("a", 12, 1), b = run_of("b", 10, 1);
  b.samples[0].outcome = Outcome::kError;
  a.samples[1].outcome = Outcome::kOom;
  a.samples[2].score.reset();
  b.samples[3].references = {"y"};
  add_cell(a, "ruler/vt", 0, 3, 1);
  add_cell(b, "ruler/vt", 0, 7, 0);
  const ComparedRuns compared = compare_runs(a, b, {.allow_different = true});
  ASSERT_EQ(compared.rows.size(), 2u);
  EXPECT_EQ(compared.rows[0].left_out, 4) << "of seven, three have a partner";
  EXPECT_EQ(compared.rows[0].result.n, 3);
  EXPECT_EQ(compared.rows[1].left_out, 2 + 4);
  EXPECT_EQ(compared.rows[1].result.n, 6);
  EXPECT_EQ(compared.unlike,
            std::vector<std::string>{"ruler/vt at 1k: 1 of 10 samples have other references"});
  EXPECT_EQ(compared.notes, (std::vector<std::string>{
                                "ruler/vt: 3 and 7 samples planned, the 3 shared ones compared",
                                "ruler/vt at 1k: 12 and 10 samples planned, the 10 shared ones "
                                "compared"}));
  ASSERT_EQ(compared.suites.size(), 1u) << "two rows are a suite";
  EXPECT_EQ(compared.suites[0].left_out, 4 + 6);
  EXPECT_EQ(compared.suites[0].length, 0);
  EXPECT_EQ(compared.suites[0].mode_a, "fa");
  EXPECT_EQ(compared.suites[0].mode_b, "fa");
}

// Two cells, one with a difference and one without: both p values are of the whole table.
// Means over the pairs in which both sides know the number; a suite adds its rows.
TEST(Comparison, WorkStandsBesideTheScores) {
  RunData a = run_of("a", 3, 1), b = run_of("b", 3, 1);
  add_cell(a, "ruler/cwe", 1024, 1, 1);
  add_cell(b, "ruler/cwe", 1024, 1, 1);
  for (std::size_t i = 0; i < 4; ++i) {
    a.samples[i].esr_all_layers = 0;
    b.samples[i].esr_all_layers = 0.25 * static_cast<double>(i);
    a.samples[i].read_share = 1;
    if (i > 0) b.samples[i].read_share = 0.5;
  }
  const ComparedRuns compared = compare_runs(a, b, {});
  ASSERT_EQ(compared.rows.size(), 2u);
  const Work& cwe = compared.rows[0].work;
  EXPECT_EQ(cwe.token_density.n, 1);
  EXPECT_DOUBLE_EQ(cwe.token_density.b, 0.25);
  const Work& vt = compared.rows[1].work;
  EXPECT_EQ(vt.token_density.n, 3);
  EXPECT_DOUBLE_EQ(vt.token_density.a, 3);
  EXPECT_DOUBLE_EQ(vt.token_density.b, 1 + 0.75 + 0.5);
  EXPECT_EQ(vt.read_share.n, 2) << "one side does not know the third";
  EXPECT_DOUBLE_EQ(vt.read_share.b, 1);
  EXPECT_EQ(vt.prefill_ms.n, 0);
  ASSERT_EQ(compared.suites.size(), 1u);
  EXPECT_EQ(compared.suites[0].work.token_density.n, 4);
  EXPECT_DOUBLE_EQ(compared.suites[0].work.token_density.b, 2.5);
}

TEST(Comparison, PValuesAreAdjustedOverTheTable) {
  RunData a = run_of("a", 20, 1), b = run_of("b", 20, 0);
  add_cell(a, "ruler/vt", 2048, 20, 1);
  add_cell(b, "ruler/vt", 2048, 20, 1);
  const ComparedRuns compared = compare_runs(a, b, {});
  ASSERT_EQ(compared.rows.size(), 2u);
  EXPECT_DOUBLE_EQ(compared.rows[0].result.adjusted_p, 2 * compared.rows[0].result.p_value);
  EXPECT_EQ(compared.rows[1].result.adjusted_p, 1);
  EXPECT_LT(compared.rows[0].result.adjusted_p, 1e-4);
  EXPECT_EQ(compared.rows[0].length, 1024);
  EXPECT_EQ(compared.rows[0].task, "ruler/vt");
}

TEST(Comparison, UnlikeDataAreNamedByTheBeginningOfTheirIds) {
  const RunData a = run_of("a", 2, 1);
  RunData b = run_of("b", 2, 1);
  b.spec.data_ids.begin()->second = "0123456789abcdef";
  EXPECT_EQ(refusal(a, b),
            "a and b: the data of ruler/vt at 1k differ (data of rule and 0123456789ab); such runs "
            "are not compared (--allow-different does it and says so in the result)");
}

TEST(Comparison, ALossOfJustThePointsIsNotExcluded) {
  PairedResult result;
  result.interval.low = -0.25;
  EXPECT_FALSE(excludes_loss(result, 25));
  EXPECT_TRUE(excludes_loss(result, 25.5));
  EXPECT_FALSE(excludes_loss(result, 24.9));
  result.interval.low = -0.5;
  EXPECT_TRUE(excludes_loss(result, 50.25));
}

}  // namespace
}  // namespace elastic::runs
