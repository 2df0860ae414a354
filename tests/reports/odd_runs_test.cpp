// Runs that hold little, nothing, or something hostile.

#include <gtest/gtest.h>

#include "base/csv.h"
#include "base/error.h"
#include "base/json.h"
#include "reports/input.h"
#include "reports/registry.h"
#include "reports/render/html_parts.h"
#include "reports/render/render.h"
#include "reports/render/write.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

using runs::RunData;

struct Rendered {
  std::map<std::string, std::string> files;
  std::string html;
};

Rendered render(RunData run) {
  Rendered out{.files = report_files(std::move(run)), .html = ""};
  for (const auto& [path, bytes] : out.files) {
    EXPECT_EQ(path.find(".."), std::string::npos);
    if (path == "report.html") continue;
    if (path.ends_with(".json")) parse_json(bytes, path);
    // A number that is none: as a JSON value, a CSV field, a table cell.
    for (const char* none : {": nan", ": inf", ",nan", ",inf", " nan ", " inf ", "NaN"}) {
      EXPECT_EQ(bytes.find(none), std::string::npos) << path;
    }
  }
  out.html = out.files.extract("report.html").mapped();
  return out;
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(OddRuns, NoRunAtAllIsAnError) { EXPECT_THROW(make_input({}, kSuiteTitles), Error); }

TEST(OddRuns, EmptyRunGivesHeadersOnly) {
  const Rendered out = render({});
  EXPECT_EQ(lines(out.files.at("results.csv")), 1u);
  EXPECT_EQ(lines(out.files.at("pareto.csv")), 1u);
  EXPECT_EQ(lines(out.files.at("head_routing.csv")), 1u);
  EXPECT_NE(out.html.find("The run holds no samples."), std::string::npos);
}

TEST(OddRuns, OnlyErrors) {
  RunData run;
  for (int i = 0; i < 3; ++i) {
    run.samples.push_back(make_sample("fa", "ruler/a", 1024, i, 0));
    run.samples.back().score.reset();
    run.samples.back().outcome = runs::Outcome::kOom;
    run.samples.back().error = "out of memory";
    run.samples.back().routing.clear();
    run.samples.back().msr.reset();
    run.samples.back().prefill_ms.reset();
  }
  const Rendered out = render(std::move(run));
  const auto rows = parse_csv(out.files.at("results.csv"), "results.csv");
  ASSERT_EQ(rows.size(), 4u);  // header, cell, suite at 1k, suite
  EXPECT_EQ(rows[1][6], "");   // value
  EXPECT_EQ(rows[1][9], "0");
  EXPECT_EQ(rows[1][10], "3");
  EXPECT_NE(out.html.find("0 of 3 planned samples have a score (3 ended in an error)"),
            std::string::npos);
}

TEST(OddRuns, OneModeWithoutDenseBaselineLengthsOrRouting) {
  RunData run;
  for (int i = 0; i < 2; ++i) {
    run.samples.push_back(make_sample("ssa", "longbench/trec", 0, i, i));
    run.samples.back().routing.clear();
  }
  const Rendered out = render(std::move(run));
  const Json pareto = parse_json(out.files.at("pareto.json"), "pareto.json");
  ASSERT_EQ(pareto["rows"].size(), 1u);
  EXPECT_TRUE(pareto["rows"][0]["prefill_speedup_vs_fa"].is_null());
  EXPECT_EQ(pareto["rows"][0]["on_front"], true);
  EXPECT_EQ(parse_csv(out.files.at("results.csv"), "x")[1][4], "");  // no length
  EXPECT_NE(out.files.at("tables/break_even.md").find("no dense baseline"), std::string::npos);
}

TEST(OddRuns, RoutingOfUnlikeShapesIsNotMixed) {
  RunData run;
  run.samples.push_back(make_sample("fa-ssa", "ruler/a", 1024, 0, 1));
  run.samples.push_back(make_sample("fa-ssa", "ruler/a", 1024, 1, 1));
  run.samples[1].routing = {"0101"};
  const auto rows = parse_csv(render(std::move(run)).files.at("head_routing.csv"), "x");
  ASSERT_EQ(rows.size(), 5u);  // header and 2 layers x 2 heads of the first shape
  for (std::size_t i = 1; i < rows.size(); ++i) EXPECT_EQ(rows[i][5], "1");
}

TEST(OddRuns, LongTextIsCutBetweenCharacters) {
  std::string text = "x";
  for (int i = 0; i < 1000; ++i) text += "é";
  RunData run;
  run.samples.push_back(make_sample("fa", "ruler/a", 1024, 0, 1));
  run.samples.push_back(make_sample("fa", "ruler/a", 1024, 1, 1));
  run.samples[0].prediction = text;
  run.samples[0].error = text.substr(1, 1200);
  run.samples[0].references = {text};
  const Json shown = samples_json(input_of(std::move(run)));
  EXPECT_EQ(shown["prediction"][0], text.substr(0, 1199)) << "1200 bytes, not within a letter";
  EXPECT_EQ(shown["references"][0], text.substr(0, 599));
  EXPECT_EQ(shown["error"][0], text.substr(1, 1200));
  EXPECT_EQ(shown["cut"], Json::array({1, 0}));
}

TEST(OddRuns, HostileTextStaysText) {
  const std::string attack =
      "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"|\n,";
  RunData run;
  run.folder = "runs/" + attack;
  for (const char* mode : {"fa", "fa-ssa"}) {
    run.samples.push_back(make_sample(mode, "../../" + attack + "/x", 1024, 0, 1));
    runs::SampleRecord& sample = run.samples.back();
    sample.mode += ":" + attack;
    sample.model = attack;
    sample.prediction = attack;
    sample.references = {attack, "\xff\xfe broken utf-8"};
    sample.error = attack;
    sample.metric = attack;
    sample.outcome = runs::Outcome::kOk;
    sample.strata["needle_depth"] = attack;
  }
  run.notes = {attack};
  run.spec.created = attack;
  run.spec.settings = {{attack, attack}, {"device", attack}};
  run.spec.environment = {{attack, attack}};
  run.spec.data_ids = {{{attack, 1}, attack}, {{}, ""}};
  run.spec.source_ids = {{attack, attack}};
  run.spec.licences = {{attack, attack}};
  run.spec.categories = {{run.samples[0].task, attack}};
  run.spec.planned = {{{attack, attack, 7}, 1}, {{"fa", attack, 1}, 1}};
  const Rendered out = render(std::move(run));
  for (const auto& [path, bytes] : out.files) {
    EXPECT_LE(std::count(path.begin(), path.end(), '/'), 1) << path;
    if (!path.ends_with(".md")) continue;
    EXPECT_EQ(bytes.find("<script"), std::string::npos) << path;
  }
  // The page's own two script kinds open and close; nothing of the run's does.
  std::string page = out.html.substr(0, out.html.rfind("<script>"));
  std::size_t open = 0, json_blocks = 0;
  for (std::size_t at = page.find("<script"); at != std::string::npos;
       at = page.find("<script", at + 1)) {
    ++open;
    json_blocks += page.compare(at, 31, "<script type=\"application/json\"") == 0;
  }
  EXPECT_EQ(open, json_blocks);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_EQ(page.find("onerror=alert(2)>"), std::string::npos);
  EXPECT_NE(page.find("script-src 'sha256-"), std::string::npos);
  // CSV fields survive a round trip.
  const auto rows = parse_csv(out.files.at("results.csv"), "x");
  ASSERT_GT(rows.size(), 1u);
  EXPECT_EQ(rows[1][0], attack);
  EXPECT_EQ(rows[1].size(), rows[0].size());
}

TEST(OddRuns, LatexIsEscaped) {
  RunData run;
  run.samples.push_back(make_sample("fa", "ruler/50%_of$x&y#{z}^~\\", 1024, 0, 1));
  const std::string tex = render(std::move(run)).files.at("tables/score_ruler.tex");
  EXPECT_NE(tex.find("50\\%\\_of\\$x\\&y\\#\\{z\\}\\textasciicircum{}\\textasciitilde{}"
                     "\\textbackslash{}"),
            std::string::npos);
}

TEST(OddRuns, ManySamplesStaySmallInThePage) {
  RunData run;
  for (int i = 0; i < 10000; ++i) {
    run.samples.push_back(make_sample("fa", "ruler/a", 1024, i, i % 2));
    run.samples.back().prediction.assign(3000, 'x');
  }
  EXPECT_LT(script_json(samples_json(input_of(std::move(run)))).size(), 12u << 20);
}

}  // namespace
}  // namespace elastic::reports
