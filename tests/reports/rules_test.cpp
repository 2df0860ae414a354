// Single rules of the reports, each at the edge where it decides.

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/csv.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

using runs::RunData;

// The best score has no MSR: it is no point of the score-MSR plane and beats none there.
TEST(Rules, AModeWithoutMsrTakesNoPartInThatPlane) {
  RunData run;
  run.samples.push_back(make_sample("fa", "ruler/a", 1024, 0, 1));
  run.samples.back().msr.reset();
  run.samples.push_back(make_sample("fa-ssa", "ruler/a", 1024, 0, 0.5));
  run.samples.push_back(make_sample("ssa", "ruler/a", 1024, 0, 0.25));
  run.samples.back().msr = 0.4;
  const Json pareto = parse_json(report_files(std::move(run)).at("pareto.json"), "pareto.json");
  const Json& rows = pareto["rows"];
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["on_front_score_msr"], false);
  EXPECT_EQ(rows[1]["on_front_score_msr"], true);
  EXPECT_EQ(rows[2]["on_front_score_msr"], false) << "less of both than fa-ssa";
  EXPECT_EQ(rows[0]["on_front_score_speedup"], true);
}

// Quest's MSR is near 1 whatever work remains, so MSR saves no point; what decode reads does.
TEST(Rules, TheFrontIsOfWorkNotOfHeads) {
  runs::RunData run;
  const auto add = [&run](const char* mode, double score, double msr, double pruned, double read) {
    run.samples.push_back(make_sample(mode, "ruler/a", 1024, 0, score));
    runs::SampleRecord& r = run.samples.back();
    r.msr = msr, r.esr_all_layers = pruned, r.read_share = read;
  };
  add("fa", 1, 0, 0, 1);
  add("quest", 0.5, 1, 0, 0.25);
  add("flexprefill", 0.5, 1, 0.5, 1);
  add("xa", 0.5, 1, 0.25, 1);
  const Json pareto = parse_json(report_files(std::move(run)).at("pareto.json"), "pareto.json");
  std::map<std::string, Json> rows;
  for (const Json& row : pareto["rows"]) rows[row["mode"]] = row;
  EXPECT_EQ(rows["fa"]["on_front"], true);
  EXPECT_EQ(rows["quest"]["on_front"], true) << "nobody reads as little";
  EXPECT_EQ(rows["flexprefill"]["on_front"], true);
  EXPECT_EQ(rows["xa"]["on_front"], false) << "its MSR of 1 does not help it";
  EXPECT_EQ(rows["xa"]["on_front_score_msr"], true);
  EXPECT_EQ(rows["xa"]["on_front_score_density"], false);
  EXPECT_EQ(rows["quest"]["on_front_score_reads"], true);
  EXPECT_EQ(rows["quest"]["token_density"], 1.0);
  EXPECT_EQ(rows["flexprefill"]["token_density"], 0.5);
  EXPECT_EQ(rows["quest"]["read_share"], 0.25);
}

// A tenth of the context begins at its lower edge; the last one ends at 100 %.
TEST(Rules, NeedleDepthsOnTheEdgeBelongToTheTenthTheyBegin) {
  RunData run;
  const std::vector<std::pair<const char*, int>> depths{{"0", 0},  {"9.99", 0}, {"10", 1},
                                                        {"20", 2}, {"90", 9},   {"100", 9}};
  for (const auto& [depth, bin] : depths) {
    run.samples.push_back(make_sample("fa", "ruler/niah_single_1", 1024,
                                      static_cast<std::int64_t>(run.samples.size()), 1));
    run.samples.back().strata["needle_depth"] = depth;
  }
  for (const char* none : {"10,20", "-1", "101", "x"}) {
    run.samples.push_back(make_sample("fa", "ruler/niah_single_1", 1024,
                                      static_cast<std::int64_t>(run.samples.size()), 0));
    run.samples.back().strata["needle_depth"] = none;
  }
  const std::vector<std::size_t> expected{2, 1, 1, 0, 0, 0, 0, 0, 0, 2};
  const Document document = document_of("needle_depth", input_of(std::move(run)));
  const auto& map = std::get<Heatmap>(document.figures.at(0).panels.at(0));
  for (std::size_t bin = 0; bin < expected.size(); ++bin) {
    EXPECT_EQ(map.counts.at(bin).at(0), static_cast<std::int64_t>(expected[bin])) << bin;
  }
}

// A sample that failed has no place in the grid, whatever score its record holds.
TEST(Rules, FailedNeedlesAreNotCounted) {
  RunData run;
  run.samples.push_back(make_sample("fa", "ruler/niah_single_1", 1024, 0, 1));
  run.samples.back().strata["needle_depth"] = "50";
  run.samples.back().outcome = runs::Outcome::kError;
  EXPECT_FALSE(report_files(std::move(run)).contains("tables/needle_depth.md"));
}

TEST(Rules, RequestedSparsityOfEveryMode) {
  RunData run;
  for (const auto& [mode, msr] : std::vector<std::pair<const char*, double>>{
           {"fa", 0}, {"ssa", 1}, {"quest", 0.75}, {"fa-ssa", 0.25}, {"duo:sparsity=0.5", 0.52}}) {
    run.samples.push_back(make_sample(mode, "ruler/a", 1024, 0, 1));
    run.samples.back().msr = msr;
  }
  const std::string table = report_files(std::move(run)).at("tables/router.md");
  const auto requested = [&](std::string_view mode) {
    const std::string cell = "| " + std::string(mode) + " ";
    const std::size_t row = table.find(cell);
    if (row == std::string::npos) return std::string("no row");
    const std::size_t begin = table.find("| ", row + cell.size() - 1) + 2;
    return std::string(strip(table.substr(begin, table.find(" |", begin) - begin)));
  };
  EXPECT_EQ(requested("fa"), "0.00");
  EXPECT_EQ(requested("ssa"), "1.00");
  EXPECT_EQ(requested("quest"), "0.75") << "its first layers stay dense";
  EXPECT_EQ(requested("fa-ssa"), "router");
  EXPECT_EQ(requested("duo:sparsity=0.5"), "0.50");
}

// 5 samples lost of 5: an exact p of .0625. 6 of 6: .03125, and twice that where another mode,
// which loses none, is tested beside it.
TEST(Rules, ADifferenceToFaIsBoldWhereItIsMoreThanChance) {
  const auto table_of = [](std::int64_t samples, bool another) {
    RunData run;
    for (std::int64_t i = 0; i < samples; ++i) {
      run.samples.push_back(make_sample("fa", "ruler/a", 1024, i, 1));
      run.samples.push_back(make_sample("ssa", "ruler/a", 1024, i, 0));
      if (another) run.samples.push_back(make_sample("xa", "ruler/a", 1024, i, 1));
    }
    return report_files(std::move(run)).at("tables/score_ruler.md");
  };
  EXPECT_FALSE(contains(table_of(5, false), "**"));
  const std::string six = table_of(6, false);
  EXPECT_TRUE(contains(six, "**0.0**")) << six;
  EXPECT_TRUE(contains(six, "**-100.0**")) << six;
  EXPECT_TRUE(contains(six, "0.031")) << six;
  EXPECT_FALSE(contains(six, "**100.0**")) << "fa is what others are set against";
  const std::string adjusted = table_of(6, true);
  EXPECT_FALSE(contains(adjusted, "**")) << adjusted;
  EXPECT_TRUE(contains(adjusted, "0.062")) << adjusted;
}

// Only samples that both modes answered count: fa failed where ssa is right.
TEST(Rules, DifferencesToFaArePaired) {
  RunData run;
  for (std::int64_t i = 0; i < 4; ++i) {
    run.samples.push_back(make_sample("fa", "ruler/a", 1024, i, i < 2 ? 1 : 0));
    if (i == 3) run.samples.back().outcome = runs::Outcome::kError;
    run.samples.push_back(make_sample("ssa", "ruler/a", 1024, i, i == 3 ? 1 : 0));
  }
  const ReportInput input = input_of(std::move(run));
  ASSERT_EQ(input.runs[0].differences.overall.size(), 1u);
  const runs::PairedResult& result = input.runs[0].differences.overall[0].result;
  EXPECT_EQ(result.n, 3);
  EXPECT_DOUBLE_EQ(result.difference, -2.0 / 3);
  EXPECT_EQ(result.test, "exact McNemar");
}

TEST(Rules, CountsStandInCellsWhereTheyDiffer) {
  RunData run;
  for (std::int64_t i = 0; i < 3; ++i) {
    run.samples.push_back(make_sample("fa", "ruler/a", 1024, i, 1));
    run.samples.push_back(make_sample("fa", "ruler/b", 1024, i, 1));
  }
  EXPECT_TRUE(contains(report_files(run).at("tables/score_ruler.md"), " n 6 "));
  std::erase_if(run.samples, [](const auto& sample) { return sample.task == "ruler/b"; });
  EXPECT_FALSE(contains(report_files(run).at("tables/score_ruler.md"), " n "));
}

TEST(Rules, SettingsInWhichTwoRunsDifferAreBold) {
  std::vector<RunData> runs(2);
  runs[0].folder = "runs/a";
  runs[1].folder = "runs/b";
  runs[0].spec.settings = {{"seed", "42"}, {"dtype", "fp32"}};
  runs[1].spec.settings = {{"seed", "43"}, {"dtype", "fp32"}};
  const std::vector<Document> documents =
      build_documents(make_input(std::move(runs), kSuiteTitles));
  for (const OutputFile& file : render_markdown(documents)) {
    if (file.path != "tables/settings.md") continue;
    EXPECT_TRUE(contains(file.bytes, "**42**") && contains(file.bytes, "**43**")) << file.bytes;
    EXPECT_FALSE(contains(file.bytes, "**fp32**"));
    return;
  }
  FAIL() << "no table of settings";
}

TEST(Rules, LatencyNamesTheBatch) {
  const auto batch_of = [](const std::vector<std::optional<std::int64_t>>& batches) {
    RunData run;
    for (const auto& batch : batches) {
      run.samples.push_back(
          make_sample("fa", "ruler/a", 1024, static_cast<std::int64_t>(run.samples.size()), 1));
      run.samples.back().batch = batch;
      run.samples.back().decode_ms = 30;
      run.samples.back().output_tokens = 11;
    }
    const Table table = document_of("latency", input_of(std::move(run))).tables.at(0);
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      if (table.columns[i].key != "batch") continue;
      EXPECT_EQ(table.columns[i + 1].key, "tpot_ms_p50");
      EXPECT_EQ(display(table.rows.at(0).at(i + 1).value, 2), "3.00");
      return display(table.rows.at(0).at(i).value, 0);
    }
    return std::string("no column");
  };
  EXPECT_EQ(batch_of({4, 4}), "4");
  EXPECT_EQ(batch_of({4, 4, 1}), "1-4");
  EXPECT_EQ(batch_of({std::nullopt}), "–");
}

TEST(Rules, ShareOfTheCacheIsInTheReport) {
  RunData run;
  run.samples.push_back(make_sample("ssa:decode=sparse", "ruler/a", 1024, 0, 1));
  run.samples.back().kv_bytes = 250;
  run.samples.back().kv_bytes_full = 1000;
  const auto files = report_files(std::move(run));
  EXPECT_TRUE(contains(files.at("tables/router.md"), "| Cache share |"));
  EXPECT_TRUE(contains(files.at("tables/router.md"), "0.250")) << files.at("tables/router.md");
  const Json results = parse_json(files.at("results.json"), "results.json");
  EXPECT_EQ(results["results"]["ruler/a"]["ssa:decode=sparse"]["1024"]["cache_share"], 0.25);
}

// What a terminal would obey, in every place a run folder can put it.
TEST(Rules, EscapesOfARunAreSpeltOut) {
  const std::string attack =
      "\x1b[2J\x1b]0;owned\x07\xc2\x9b"
      "1m\u202e\x08\x7f";
  RunData run;
  run.folder = "runs/" + attack;
  for (const std::string& mode : {std::string("fa"), "fa-ssa:" + attack}) {
    run.samples.push_back(make_sample(mode, "ruler/" + attack, 1024, 0, 1));
    runs::SampleRecord& sample = run.samples.back();
    sample.model = sample.metric = sample.prediction = attack;
    sample.strata["needle_depth"] = "50";
  }
  run.notes = {attack};
  run.spec.created = attack;
  run.spec.settings = {{attack, attack}};
  run.spec.environment = {{"device", attack}, {attack, attack}};
  run.spec.data_ids = {{{attack, 1024}, attack}};
  run.spec.source_ids = {{attack, attack}};
  run.spec.licences = {{attack, attack}};
  run.spec.categories = {{run.samples[0].task, attack}};
  for (const auto& [path, bytes] : report_files(std::move(run))) {
    const bool data = path.ends_with(".json");  // escaped or exact: JSON is for programs
    for (const char* part : {"\x1b", "\x07", "\x08"}) {
      EXPECT_FALSE(contains(bytes, part)) << path;
    }
    for (const char* part : {"\xc2\x9b", "\u202e", "\x7f"}) {
      EXPECT_TRUE(data || path == "report.html" || !contains(bytes, part)) << path;
    }
    if (path == "results.csv") {
      EXPECT_TRUE(contains(bytes, "\\x1b[2J\\x1b]0;owned\\x07\\u009b1m\\u202e")) << bytes;
    }
  }
}

TEST(Rules, CsvNamesAreNoFormulas) {
  RunData run;
  run.samples.push_back(make_sample("fa", "=cmd|x", 1024, 0, 0));
  run.samples.back().model = "+1";
  run.samples.back().metric = "@m";
  const auto rows = parse_csv(report_files(std::move(run)).at("results.csv"), "results.csv");
  EXPECT_EQ(rows[1][0], "'+1");
  EXPECT_EQ(rows[1][2], "'=cmd|x");
  EXPECT_EQ(rows[1][5], "'@m");
}

}  // namespace
}  // namespace elastic::reports
