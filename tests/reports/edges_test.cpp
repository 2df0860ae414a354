// Rules of the reports that a whole report of common runs does not show, each at its edge.

#include <gtest/gtest.h>

#include <cmath>

#include "base/text.h"
#include "reports/ablation.h"
#include "reports/cells.h"
#include "reports/pareto_front.h"
#include "reports/routing_grid.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

using runs::RunData;

// Rows of a table as people read them.
std::vector<std::string> rows_of(const Table& table) {
  std::vector<std::string> rows;
  for (const auto& row : table.rows) {
    std::string& text = rows.emplace_back();
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += (i > 0 ? " | " : "") + display(row[i].value, table.columns[i].digits);
    }
  }
  return rows;
}

TEST(Edges, NumbersAreRoundedAndFinite) {
  EXPECT_EQ(number(0.123456), Value(0.1235));
  EXPECT_EQ(number(0.5, 100, 0), Value(50.0));
  EXPECT_FALSE(std::signbit(std::get<double>(number(-0.00001)))) << "no minus before nothing";
  EXPECT_EQ(number(1e305, 100), Value(1e305 * 100)) << "too large to round";
  EXPECT_EQ(number(std::nan("")), Value());
  EXPECT_EQ(number(INFINITY), Value());
  EXPECT_EQ(number(std::nullopt), Value());
}

TEST(Edges, ScoresLeadToTheirSamples) {
  runs::Cell cell;
  cell.model = "m", cell.mode = "fa", cell.task = "t";
  EXPECT_FALSE(score_cell(cell, 3).samples) << "nothing was to be there";
  cell.planned = 1;
  ASSERT_TRUE(score_cell(cell, 3).samples);
  EXPECT_EQ(score_cell(cell, 3).samples->run, 3u);
  EXPECT_EQ(score_cell(cell, 3).samples->length, std::nullopt);
  cell.length = 1;
  EXPECT_EQ(score_cell(cell, 3).samples->length, 1);
  EXPECT_EQ(score_cell(cell, 3).n, 0);
  EXPECT_EQ(score_cell(cell, 3).planned, 1);
}

TEST(Edges, CandidatesWithoutAnyObjectiveAreOffTheFront) {
  EXPECT_EQ(pareto_front(std::vector<Objectives>{{}, {{1.0}}}), (std::vector<bool>{false, true}));
}

RunData routed_run(double msr, const std::string& mode = "fa-ssa") {
  RunData run;
  for (const std::string& name : {std::string("fa"), std::string("ssa"), mode}) {
    run.samples.push_back(make_sample(name, "ruler/a", 1024, 0, name == "fa" ? 1 : 0.5));
    run.samples.back().msr = name == "fa" ? 0 : msr;
  }
  return run;
}

// Points of settings: one whole, one without its mode, one without scores, one without MSR.
TEST(Edges, AblationsShowWhatEachSettingHas) {
  std::vector<RunData> runs{routed_run(0.5), routed_run(0.25, "xa"), routed_run(0.75),
                            routed_run(0.125)};
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i].folder = "run" + std::to_string(i);
  runs[2].samples[2].score.reset();
  runs[3].samples[2].msr.reset();
  const ReportInput input = make_input(std::move(runs), kSuiteTitles);
  const Document document = ablation_document(
      {"own", "fa-ssa", 0, {{"all", 0, {}}, {"2", 1, {}}, {"3", 2, {}}, {"4", 3, {}}}}, input);
  EXPECT_EQ(rows_of(document.tables.at(0)),
            (std::vector<std::string>{
                "fa, no router | 100.0 | – | 0.000 | – | – | – | –",
                "ssa, no router | 50.0 | -50.0 | 0.500 | – | – | – | –",
                "all | 50.0 | -50.0 | 0.500 | – | – | – | –", "2 | – | – | – | – | – | – | –",
                "3 | – | – | 0.750 | – | – | – | –", "4 | 50.0 | -50.0 | – | – | – | – | –"}));
  EXPECT_EQ(document.tables[0].rules, std::vector<std::size_t>{2});
  EXPECT_EQ(rows_of(document.tables.at(1)),
            (std::vector<std::string>{"all | 0.500", "2 | –", "3 | 0.750", "4 | –"}));
  const auto& panels = document.figures.at(0).panels;
  ASSERT_EQ(panels.size(), 2u) << "the paper has no such ablation";
  const auto& scores = std::get<Chart>(panels[0]);
  ASSERT_EQ(scores.series.size(), 3u) << "fa, ssa, routed";
  EXPECT_EQ(scores.series[2].points.size(), 1u);
  const auto& msr = std::get<Chart>(panels[1]);
  ASSERT_EQ(msr.series.size(), 1u);
  ASSERT_EQ(msr.series[0].points.size(), 1u) << "`all` is no number, 2 and 4 have no MSR";
  EXPECT_EQ(msr.series[0].points[0].x, 3);
  EXPECT_EQ(msr.series[0].points[0].y, 0.75);
}

TEST(Edges, RequestedSparsityMayBeTheWholeNumber) {
  RunData run;
  for (const char* mode : {"duo:msr=1,x=2", "duo:x=1,sparsity=7", "duo:msr=x", "other"}) {
    run.samples.push_back(make_sample(mode, "ruler/a", 1024, 0, 1));
  }
  const Table table = document_of("head_routing", input_of(std::move(run))).tables.at(0);
  ASSERT_EQ(table.columns[3].key, "requested_msr");
  std::vector<std::string> requested;
  for (const auto& row : table.rows) requested.push_back(display(row[3].value, 2));
  EXPECT_EQ(requested, (std::vector<std::string>{"1.00", "7.00", "0.50", "0.50"}));
}

TEST(Edges, TwoRoutedModesAreToldApart) {
  const auto columns = [](const std::vector<const char*>& modes) {
    RunData run;
    for (const char* mode : modes) {
      run.samples.push_back(make_sample(mode, "ruler/a", 1024, 0, 1));
      if (std::string_view(mode) == "fa") run.samples.back().routing = {"00", "00"};
    }
    return document_of("head_routing", input_of(std::move(run))).sheets.at(0).columns.size();
  };
  EXPECT_EQ(columns({"fa"}), 6u);
  EXPECT_EQ(columns({"fa", "fa-ssa"}), 6u);
  EXPECT_EQ(columns({"fa-xa", "fa-ssa"}), 9u);
}

TEST(Edges, RoutingOfOneKindIsAChoiceOnlyOfARouter) {
  const auto choice = [](const char* mode, const std::vector<std::string>& routing) {
    RunData run;
    run.samples.push_back(make_sample(mode, "ruler/a", 1024, 0, 1));
    run.samples.back().routing = routing;
    return has_head_choice(input_of(std::move(run)).runs[0], "m", mode);
  };
  EXPECT_FALSE(choice("ssa", {"11", "11"}));
  EXPECT_TRUE(choice("fa-ssa", {"11", "11"}));
  EXPECT_FALSE(choice("fa-ssa", {}));
  EXPECT_TRUE(choice("duo", {"10", "11"}));
  EXPECT_TRUE(choice("duo", {"11", "00"}));
  EXPECT_FALSE(choice("duo", {"00", "00"}));
  EXPECT_FALSE(choice("ssa", {"1", "1"})) << "one head";
  EXPECT_FALSE(choice("ssa", {"11"})) << "one layer";
  EXPECT_TRUE(choice("duo", {"10"}));
}

TEST(Edges, GridsCountOneShape) {
  RoutingGrid grid;
  EXPECT_FALSE(grid.add({}));
  EXPECT_TRUE(grid.add({"01", "1"}));
  EXPECT_TRUE(grid.add({"11", "0"}));
  EXPECT_FALSE(grid.add({"01"})) << "fewer layers";
  EXPECT_FALSE(grid.add({"01", "1", "1"})) << "more layers";
  EXPECT_FALSE(grid.add({"01", "11"})) << "more heads";
  EXPECT_FALSE(grid.add({"0", "1"})) << "fewer heads";
  EXPECT_EQ(grid.n, 2);
  EXPECT_EQ(grid.sparse, (std::vector<std::vector<std::int64_t>>{{1, 2}, {1}}));
  EXPECT_EQ(grid.share(0, 1), 1);
  EXPECT_EQ(grid.share(1, 0), 0.5);
}

// Four names are listed, of five the fifth is counted.
TEST(Edges, LongListsOfUnlikeDataAreShortened) {
  const auto warning = [](int tasks) {
    std::vector<RunData> runs(2);
    for (std::size_t i = 0; i < runs.size(); ++i) {
      runs[i].folder = "run" + std::to_string(i);
      runs[i].samples.push_back(make_sample("fa", "ruler/a", 1024, 0, 1));
      for (int task = 0; task < tasks; ++task) {
        runs[i].spec.data_ids[{"t" + std::to_string(task), 0}] = runs[i].folder;
      }
    }
    const ReportInput input = make_input(std::move(runs), kSuiteTitles);
    EXPECT_EQ(input.warnings.size(), 1u);
    return input.warnings.at(0);
  };
  const std::string head = "Runs run0 and run1 used different data for t0 at 0, t1 at 0, t2 at 0, ";
  const std::string tail = ": their scores there are not comparable.";
  EXPECT_EQ(warning(4), head + "t3 at 0" + tail);
  EXPECT_EQ(warning(5), head + "t3 at 0 and 1 more" + tail);
  EXPECT_EQ(warning(7), head + "t3 at 0 and 3 more" + tail);
}

TEST(Edges, WarningsOfARunInFull) {
  RunData run;
  using Warnings = std::vector<std::string>;
  for (int i = 0; i < 3; ++i) run.samples.push_back(make_sample("fa", "ruler/a", 1024, i, 1));
  EXPECT_EQ(input_of(run).warnings, Warnings{});
  run.samples[0].score.reset();
  EXPECT_EQ(input_of(run).warnings,
            Warnings{"2 of 3 planned samples have a score; means are over those that have one."});
  run.samples[0].outcome = runs::Outcome::kOom;
  run.samples[1].truncated_tokens = 4;
  run.samples[2].truncated_tokens = 5;
  EXPECT_EQ(input_of(run).warnings,
            (Warnings{"2 of 3 planned samples have a score (1 ended in an error); means are over "
                      "those that have one.",
                      "2 of 3 prompts were truncated, 9 tokens lost."}));
}

TEST(Edges, LengthsOfDataSetsAreNumbers) {
  RunData run;
  run.samples.push_back(make_sample("fa", "ruler/a", 1024, 0, 1));
  run.spec.data_ids = {{{"a", 1}, "i"}, {{"b", 0}, "i"}, {{"e", 2048}, "i"}};
  EXPECT_EQ(rows_of(document_of("provenance", input_of(std::move(run))).tables.at(0)),
            (std::vector<std::string>{"a | 1 | – | i", "b | – | – | i", "e | 2k | – | i"}));
}

// The difference to fa needs both scores: one suite lacks fa's, another its own.
TEST(Edges, DifferencesNeedBothScores) {
  RunData run;
  for (const char* suite : {"one", "two", "three"}) {
    for (const char* mode : {"fa", "ssa"}) {
      if (suite == std::string("three") && mode == std::string("fa")) continue;
      run.samples.push_back(make_sample(mode, suite, 0, 0, mode == std::string("fa") ? 1 : 0.25));
    }
  }
  run.samples[0].score.reset();  // fa of `one`
  run.samples[3].score.reset();  // ssa of `two`
  const Table table = document_of("overview", input_of(std::move(run))).tables.at(0);
  ASSERT_EQ(table.columns[3].key, "difference");
  for (const auto& row : table.rows) EXPECT_EQ(display(row[3].value, 1), "–");
}

// Where nothing is known of how sure a score is, no bound is written.
TEST(Edges, ScoresWithoutAnInterval) {
  RunData run;
  run.samples.push_back(make_sample("fa", "a", 0, 0, 0.5));
  ReportInput input = input_of(std::move(run));
  input.runs[0].summary.cells.at(0).score->interval.reset();
  const Sheet sheet = document_of("results", input).sheets.at(0);
  EXPECT_EQ(sheet.rows.at(0).at(6), Value(50.0));
  EXPECT_EQ(sheet.rows[0].at(7), Value());
  EXPECT_EQ(sheet.rows[0].at(8), Value());
}

TEST(Edges, AModeAloneIsTheBestOfNoTask) {
  RunData run;
  for (const char* task : {"ruler/a", "ruler/b"}) {
    run.samples.push_back(make_sample("fa", task, 1024, 0, 1));
  }
  EXPECT_FALSE(contains(report_files(std::move(run)).at("tables/score_ruler.md"), "**"));
}

// Each plane has its own front: what the other plane's coordinate saves is off this one's. Sparse
// heads alone save no point of the whole.
TEST(Edges, FrontsOfThePlanesAreTheirOwn) {
  RunData run;
  const auto add = [&](const char* mode, double score, double msr, double ms) {
    run.samples.push_back(make_sample(mode, "ruler/a", 1024, 0, score));
    run.samples.back().msr = msr;
    run.samples.back().prefill_ms = ms;
  };
  add("fa", 1, 0, 100);
  add("ssa", 0.5, 0.75, 50);
  add("xa", 0.25, 1, 80);        // sparser, but slower and worse than ssa
  add("fa-ssa", 0.25, 0.5, 40);  // faster, but less sparse and worse than ssa
  std::vector<std::string> fronts;
  const Document document = document_of("pareto", input_of(std::move(run)));
  for (const Json& row : document.sheets.at(0).nested["rows"]) {
    fronts.push_back(row["mode"].get<std::string>());
    for (const char* plane : {"on_front", "on_front_score_msr", "on_front_score_speedup"}) {
      fronts.back() += row[plane].get<bool>() ? " +" : " -";
    }
  }
  EXPECT_EQ(fronts,
            (std::vector<std::string>{"fa + + +", "ssa + + +", "xa - + -", "fa-ssa + - +"}));
}

}  // namespace
}  // namespace elastic::reports
