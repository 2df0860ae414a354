// What is written where, and what a terminal is told.

#include "reports/render/write.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "base/file.h"
#include "reports/speedup.h"
#include "reports/task_similarity.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

namespace fs = std::filesystem;

Document small_document() {
  Document document{"small", "Small", "", {}, {}, {}};
  document.sheets.push_back({"sheet", {{"a", ""}}, {{std::int64_t{1}}}, {}});
  document.tables.push_back({"table", "Table", "", {{"a", ""}}, {{Cell{}}}, {}});
  Figure figure{"figure", "Figure", "", {}};
  figure.panels.emplace_back(Bars{"", "x", {"p"}, {"l"}, {{1}}});
  document.figures.push_back(std::move(figure));
  return document;
}

TEST(WriteFormats, EachHasItsFiles) {
  EXPECT_EQ(format_names(),
            (std::vector<std::string>{"html", "csv", "json", "md", "latex", "svg", "vega", "sql"}));
  const std::vector<std::vector<std::string>> expected{{"report.html"},
                                                       {"sheet.csv"},
                                                       {"sheet.json"},
                                                       {"tables/table.md"},
                                                       {"tables/table.tex"},
                                                       {"figures/figure.svg"},
                                                       {"figures/figure.vl.json"},
                                                       {"report.sql"}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const testing::TemporaryFolder folder;
    const std::vector<fs::path> written = write_documents(
        {}, {.output = folder / "out", .formats = {format_names()[i]}}, {small_document()});
    std::vector<std::string> names;
    for (const fs::path& path : written) {
      EXPECT_TRUE(fs::is_regular_file(path));
      names.push_back(path.lexically_relative(folder / "out").string());
    }
    EXPECT_EQ(names, expected[i]) << format_names()[i];
  }
  const testing::TemporaryFolder folder;
  EXPECT_EQ(write_documents({}, {.output = folder.path()}, {small_document()}).size(), 8u)
      << "all of them where none is named";
  try {
    write_documents({}, {.output = folder / "none", .formats = {"csv", "pdf"}}, {});
    ADD_FAILURE() << "written";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("pdf"), std::string::npos);
  }
  EXPECT_FALSE(fs::exists(folder / "none")) << "names are looked at before anything is written";
}

TEST(WriteFormats, DocumentsOfTheCallerComeFirst) {
  const testing::TemporaryFolder folder;
  runs::RunData run;
  run.samples.push_back(make_sample("fa", "ruler/a", 1024, 0, 1));
  const ReportInput input = input_of(std::move(run));
  const std::vector<fs::path> written =
      write_report(input, {.output = folder.path(), .formats = {"md"}}, {small_document()});
  ASSERT_GT(written.size(), 2u);
  EXPECT_EQ(written[0].filename(), "table.md");
  EXPECT_EQ(written[1].filename(), "overview.md");
}

// The tables of overview and scores, each under its title; no other report's.
TEST(WriteFormats, ATerminalIsToldOverviewAndScores) {
  runs::RunData run;
  for (const char* task : {"ruler/a", "longbench/b"}) {
    run.samples.push_back(make_sample("fa", task, *task == 'r' ? 1024 : 0, 0, 1));
  }
  const ReportInput input = input_of(std::move(run));
  std::string expected;
  for (const char* name : {"overview", "scores"}) {
    for (const Table& table : document_of(name, input).tables) {
      expected += (expected.empty() ? "" : "\n") + table.title + "\n\n" + markdown_table(table);
    }
  }
  const std::string text = summary_text(input);
  EXPECT_EQ(text, expected);
  EXPECT_TRUE(text.starts_with("Modes at a glance\n\n| Suite"));
  EXPECT_TRUE(contains(text, "\n\nRULER: score by task and length\n\n"));
  EXPECT_TRUE(contains(text, "\n\nLongBench: score by task\n\n"));
}

// A pair counts where both times are there and above zero.
TEST(SpeedupPairs, NeedTwoTimes) {
  const auto pairs = [](std::optional<double> dense, std::optional<double> mode) {
    runs::RunData run;
    for (const int index : {0, 1}) {
      run.samples.push_back(make_sample("fa", "ruler/a", 1024, index, 1));
      run.samples.back().prefill_ms = index == 0 ? dense : 60;
      run.samples.push_back(make_sample("ssa", "ruler/a", 1024, index, 1));
      run.samples.back().prefill_ms = index == 0 ? mode : 30;
    }
    const ReportInput input = input_of(std::move(run));
    return prefill_speedup(input.runs[0], {1, 3}).value().n;
  };
  EXPECT_EQ(pairs(10, 5), 2);
  EXPECT_EQ(pairs(0, 5), 1);
  EXPECT_EQ(pairs(10, 0), 1);
  EXPECT_EQ(pairs(std::nullopt, 5), 1);
  EXPECT_EQ(pairs(10, std::nullopt), 1);
  EXPECT_EQ(pairs(0.5, 0.25), 2);
}

// The scale of two grids begins at the tenth below their least pair, at 0 where none is negative.
TEST(SimilarityScale, BeginsBelowTheLeastPair) {
  const auto figure = [](double before, double after, std::vector<std::int64_t> samples) {
    TaskSimilarity router;
    router.router = "r";
    router.layer = 4;
    router.tasks = {"s/a", "s/b"};
    router.samples = std::move(samples);
    router.before = {{1, before}, {before, 1}};
    router.after = {{1, after}, {after, 1}};
    return task_similarity_document({router}).figures.at(0);
  };
  EXPECT_DOUBLE_EQ(figure(0.5, 0.25, {1, 1}).scale_min, 0);
  EXPECT_DOUBLE_EQ(figure(-0.25, 0.5, {1, 1}).scale_min, -0.3);
  EXPECT_DOUBLE_EQ(figure(0.5, -0.75, {1, 1}).scale_min, -0.8);
  EXPECT_EQ(figure(0, 0, {3, 3}).caption, "3 samples a task.");
  EXPECT_EQ(figure(0, 0, {5, 3}).caption, "3 to 5 samples a task.");
  EXPECT_EQ(figure(0, 0, {3, 3}).title, "Task similarity, r, layer 4");
  EXPECT_EQ(figure(0, 0, {3, 3}).scale_title, "similarity");
}

}  // namespace
}  // namespace elastic::reports
