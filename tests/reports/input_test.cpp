#include "reports/input.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "reports/registry.h"
#include "reports/render/render.h"
#include "reports/render/write.h"
#include "reports/speedup.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

using runs::RunData;

bool mentions(const std::vector<std::string>& texts, std::string_view part) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

RunData named(std::string folder, double score = 1) {
  RunData run;
  run.folder = std::move(folder);
  run.samples.push_back(make_sample("fa", "ruler/a", 1024, 0, score));
  run.spec.data_ids = {{{"ruler/a", 1024}, "id1"}};
  run.spec.settings = {{"profile_ruler", "ruler@builtin"}};
  return run;
}

TEST(Input, RunNamesAreDistinct) {
  EXPECT_EQ(run_names({"/runs/a", "/runs/b/"}), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(run_names({"/x/run", "/y/run"}), (std::vector<std::string>{"x/run", "y/run"}));
  EXPECT_EQ(run_names({"/1/x/run", "/2/x/run"}), (std::vector<std::string>{"x/run", "x/run (2)"}));
}

TEST(Input, TheSameFolderTwiceIsAnError) {
  std::vector<RunData> runs;
  runs.push_back(named("/runs/a"));
  runs.push_back(named("/runs/../runs/a/"));
  EXPECT_THROW(make_input(std::move(runs), kSuiteTitles), Error);
}

TEST(Input, UnlikeDataAndProfilesAreSaid) {
  std::vector<RunData> runs;
  runs.push_back(named("/runs/a"));
  runs.push_back(named("/runs/b"));
  EXPECT_TRUE(make_input(runs, kSuiteTitles).warnings.empty());
  runs[1].spec.data_ids[{"ruler/a", 1024}] = "id2";
  runs[1].spec.settings["profile_ruler"] = "ruler@gen-b";
  const ReportInput input = make_input(std::move(runs), kSuiteTitles);
  EXPECT_TRUE(mentions(input.warnings, "a and b used different data for ruler/a at 1024"));
  EXPECT_TRUE(mentions(input.warnings, "different profiles (profile_ruler)"));
}

TEST(Input, ADocumentHasTheNameOfItsReport) {
  const ReportInput input = make_input({named("/runs/a")}, kSuiteTitles);
  for (const Report& report : reports()) EXPECT_EQ(report.build(input).id, report.name);
}

TEST(Input, SeveralRunsAreToldApartEverywhere) {
  std::vector<RunData> runs;
  runs.push_back(named("/runs/a"));
  runs.push_back(named("/runs/b", 0));
  const ReportInput input = make_input(std::move(runs), kSuiteTitles);
  const auto documents = build_documents(input);
  const std::vector<OutputFile> sheets = render_csv(documents);
  EXPECT_EQ(sheets.size(), 3u);
  for (const OutputFile& file : sheets) {
    const auto rows = parse_csv(file.bytes, file.path);
    if (file.path == "head_routing.csv") continue;  // fa alone: nothing routed
    EXPECT_EQ(rows[0].back(), "run") << file.path;
    EXPECT_EQ(rows[1].back(), "a") << file.path;
    EXPECT_EQ(rows.back().back(), "b") << file.path;
  }
  const std::vector<OutputFile> tables = render_markdown(documents);
  const auto scores = std::find_if(tables.begin(), tables.end(), [](const OutputFile& file) {
    return file.path == "tables/score_ruler.md";
  });
  ASSERT_NE(scores, tables.end());
  EXPECT_NE(scores->bytes.find("a · fa"), std::string::npos);
  EXPECT_NE(scores->bytes.find("b · fa"), std::string::npos);
}

// Per sample 200/100 and 100/100 ms: mean 1.5, not the 1.5 of medians or the 300/200 of sums at
// other weights; at the second length 4 / 1 = 4; lengths averaged: 2.75.
TEST(Speedup, PairsSamplesThenTakesMedians) {
  RunData run;
  const auto add = [&](const char* mode, std::int64_t length, std::int64_t index, double ms) {
    run.samples.push_back(make_sample(mode, "ruler/a", length, index, 1));
    run.samples.back().prefill_ms = ms;
  };
  add("fa", 1024, 0, 200);
  add("fa", 1024, 1, 100);
  add("fa", 2048, 0, 400);
  add("ssa", 1024, 1, 100);
  add("ssa", 1024, 0, 100);
  add("ssa", 2048, 0, 100);
  add("ssa", 2048, 7, 100);  // no partner
  std::vector<RunData> runs;
  runs.push_back(std::move(run));
  const ReportInput input = make_input(std::move(runs), kSuiteTitles);
  const auto& overall = input.runs[0].summary.overall;
  ASSERT_EQ(overall.size(), 2u);
  EXPECT_DOUBLE_EQ(prefill_speedup(input.runs[0], overall[0].samples)->value, 1);
  const auto speedup = prefill_speedup(input.runs[0], overall[1].samples);
  ASSERT_TRUE(speedup);
  EXPECT_DOUBLE_EQ(speedup->value, std::sqrt(1.5 * 4));  // medians of {2, 1} and {4}
  EXPECT_FALSE(speedup->interval) << "too few samples";
  EXPECT_EQ(speedup->n, 3);
}

TEST(Write, OverwritesItsOwnFilesAndNothingElse) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "mine.txt", "kept");
  write_file_atomic(folder / "results.csv", "old");
  std::vector<RunData> runs;
  runs.push_back(named("/runs/a"));
  const ReportInput input = make_input(std::move(runs), kSuiteTitles);
  const auto files = write_report(input, {.output = folder.path(), .formats = {"csv", "md"}});
  EXPECT_EQ(read_file(folder / "mine.txt"), "kept");
  EXPECT_TRUE(read_file(folder / "results.csv").starts_with("model,mode,"));
  EXPECT_FALSE(std::filesystem::exists(folder / "report.html"));
  for (const auto& file : files) EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_THROW(write_report(input, {.output = folder.path(), .formats = {"pdf"}}), Error);
}

TEST(Write, EmbedsPlotlyOnceSuchThatItCannotEndItsElement) {
  const testing::TemporaryFolder folder;
  write_file_atomic(folder / "plotly.min.js", "var marker_of_plotly='</script>';");
  std::vector<RunData> runs;
  runs.push_back(named("/runs/a"));
  write_report(
      make_input(std::move(runs), kSuiteTitles),
      {.output = folder.path(), .formats = {"html"}, .plotly_js = folder / "plotly.min.js"});
  const std::string html = read_file(folder / "report.html");
  const std::size_t at = html.find("marker_of_plotly='<\\/script>'");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(html.find("marker_of_plotly", at + 20), std::string::npos);
}

// Tables, figures and csv name it so; a trained one keeps its name.
TEST(Input, UntrainedMethodsSaySoWhereverTheyStand) {
  runs::RunData run;
  for (const char* mode : {"fa", "moba", "nsa:weights=random"}) {
    run.spec.modes.emplace_back(mode);
    run.samples.push_back(make_sample(mode, "ruler/a", 1024, 0, 1));
    run.spec.planned[{mode, "ruler/a", 1024}] = 2;
  }
  run.spec.mode_options = {{"fa", "fa"},
                           {"moba", "moba:chunk=1024,topk=8,decode=dense,weights=untrained"},
                           {"nsa:weights=random", "nsa:topk=4,weights=random"}};
  const auto files = report_files(run);
  for (const char* file : {"results.csv", "tables/overview.md", "tables/score_ruler.md",
                           "tables/router.md", "pareto.csv", "report.html"}) {
    EXPECT_TRUE(contains(files.at(file), "moba (untrained)")) << file;
    EXPECT_TRUE(contains(files.at(file), "nsa:weights=random (untrained)")) << file;
    EXPECT_FALSE(contains(files.at(file), "fa (untrained)")) << file;
  }
  EXPECT_TRUE(contains(files.at("results.csv"), ",1,2,")) << "its plan goes along";
}

}  // namespace
}  // namespace elastic::reports
