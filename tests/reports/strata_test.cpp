// Scores by stratum and the account of prompts: every number adds up to its samples again.

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "reports/render/html_parts.h"
#include "reports/strata.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

// Two sets of LongBench, two modes, three buckets, two languages; ssa lacks a score.
runs::RunData bucketed_run() {
  runs::RunData run;
  run.folder = "runs/b";
  const char* buckets[] = {"0-4k", "4-8k", "8k+"};
  for (const char* mode : {"fa", "ssa"}) {
    for (int i = 0; i < 7; ++i) {
      const bool zh = i % 3 == 2;
      run.samples.push_back(
          make_sample(mode, zh ? "longbench/vcsum" : "longbench/qasper", 0, i, i * .1));
      runs::SampleRecord& r = run.samples.back();
      r.strata = {{"length", buckets[i % 3 == 0 ? 2 : i % 2]},
                  {"language", zh ? "zh" : "en"},
                  {"document", std::to_string(i)}};
      r.prompt_tokens = 100 + i;
      r.truncated_tokens = i == 4 ? 50 : i == 6 ? 30 : 0;
      if (i == 6 && std::string_view(mode) == "ssa") {
        r.outcome = runs::Outcome::kError, r.score.reset();
      }
    }
  }
  return run;
}

const Table& table_of(const Document& document, std::string_view id) {
  for (const Table& table : document.tables) {
    if (table.id == id) return table;
  }
  throw Error(ErrorKind::kNotFound, std::string(id));
}

// The samples that the page lists for a filter, as its script does.
std::vector<std::size_t> listed(const Json& samples, const Json& filter) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < samples["index"].size(); ++i) {
    const std::string task = samples["tasks"][samples["task"][i].get<std::size_t>()];
    bool fits = samples["run"][i] == filter["run"];
    if (filter.contains("mode")) {
      fits = fits && samples["modes"][samples["mode"][i].get<std::size_t>()] == filter["mode"];
    }
    if (filter.contains("task")) {
      fits = fits && (task == filter["task"] || runs::suite_of(task) == filter["task"]);
    }
    if (filter.contains("length")) fits = fits && samples["length"][i] == filter["length"];
    if (filter.contains("stratum")) {
      bool has = false;
      for (const Json& at : samples["strata"][i]) {
        has = has || samples["stratum_names"][at.get<std::size_t>()] == filter["stratum"];
      }
      fits = fits && has;
    }
    if (fits) found.push_back(i);
  }
  return found;
}

// Every cell's mean and counts are those of the samples that its drill-down lists.
int expect_cells_re_add(const Table& table, const Json& samples) {
  int cells = 0;
  for (const auto& row : table.rows) {
    for (const Cell& cell : row) {
      if (!cell.samples || !std::holds_alternative<double>(cell.value)) continue;
      double sum = 0;
      std::int64_t n = 0, planned = 0;
      for (const std::size_t i : listed(samples, filter_json(*cell.samples))) {
        ++planned;
        if (samples["score"][i].is_null()) continue;
        sum += samples["score"][i].get<double>(), ++n;
      }
      EXPECT_EQ(cell.n, n) << table.id;
      EXPECT_EQ(cell.planned, planned) << table.id;
      EXPECT_NEAR(std::get<double>(cell.value), 100 * sum / static_cast<double>(n), 1e-4);
      ++cells;
    }
  }
  return cells;
}

TEST(Strata, EveryCellIsTheMeanOfTheSamplesItLists) {
  const ReportInput input = input_of(bucketed_run());
  const Json samples = samples_json(input);
  const Document document = document_of("strata", input);
  EXPECT_EQ(expect_cells_re_add(table_of(document, "strata_longbench"), samples), 10);
  EXPECT_EQ(expect_cells_re_add(table_of(document, "buckets_longbench"), samples), 10);
}

TEST(Strata, TheStrataOfAKeyTogetherAreAllItsSamples) {
  const ReportInput input = input_of(bucketed_run());
  const Document document = document_of("strata", input);
  std::map<std::pair<std::string, std::string>, std::pair<double, std::int64_t>> sums;
  const Sheet& sheet = document.sheets.at(0);
  for (const auto& row : sheet.rows) {
    if (row[2] != Value("longbench")) continue;  // of the suite, not of a set
    auto& [sum, n] = sums[{std::get<std::string>(row[1]), std::get<std::string>(row[3])}];
    n += std::get<std::int64_t>(row[8]);
    sum += std::get<double>(row[5]) * static_cast<double>(std::get<std::int64_t>(row[8]));
  }
  ASSERT_EQ(sums.size(), 4u);
  for (const auto& [key, total] : sums) {
    const bool dense = key.first == "fa";
    EXPECT_EQ(total.second, dense ? 7 : 6);
    EXPECT_NEAR(total.first, dense ? 210 : 150, 1e-2) << key.first << " " << key.second;
  }
}

TEST(Strata, ValuesStandInTheOrderOfTheOfficialTables) {
  runs::RunData run;
  int index = 0;
  for (const char* value : {"hard", "10", "medium", "unknown", "short", "9", "easy", "long"}) {
    run.samples.push_back(make_sample("fa", "longbench_v2/qa", 0, index++, 1));
    run.samples.back().strata["difficulty"] = value;
  }
  std::string order;
  const Document document = document_of("strata", input_of(std::move(run)));
  for (const auto& row : document.tables.at(0).rows) {
    order += std::get<std::string>(row[1].value) + " ";
  }
  EXPECT_EQ(order, "easy hard short medium long 9 10 unknown ");
}

TEST(Strata, DocumentsAndDepthsAreNone) {
  for (const char* key : {"document", "needle_depth", "bos"}) EXPECT_FALSE(is_stratum(key)) << key;
  for (const char* key : {"language", "needles", "difficulty"}) EXPECT_TRUE(is_stratum(key)) << key;
  runs::RunData run;
  run.samples.push_back(make_sample("fa", "ruler/a", 1024, 0, 1));
  run.samples.back().strata = {{"document", "d"}, {"needle_depth", "10"}};
  EXPECT_TRUE(document_of("strata", input_of(std::move(run))).empty());
}

TEST(Prompts, EachCountsOnceAndTokensLostAddUp) {
  const ReportInput input = input_of(bucketed_run());
  const Document document = document_of("prompts", input);
  const Table& table = document.tables.at(0);
  ASSERT_EQ(table.rows.size(), 2u);
  std::map<std::string, std::int64_t> sums;
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const auto* number = std::get_if<std::int64_t>(&row[i].value);
      if (number != nullptr) sums[table.columns[i].key] += *number;
    }
    EXPECT_TRUE(row[0].samples.has_value());
  }
  EXPECT_EQ(sums["prompts"], 7);
  EXPECT_EQ(sums["truncated"], 2);
  EXPECT_EQ(sums["tokens_lost"], 80);
  EXPECT_FALSE(table.folded) << "what was cut is not hidden";
  // qasper: 0, 1, 3, 4, 6 with 100 + i tokens each: 80 of 594 were cut.
  EXPECT_EQ(table.rows[0][9].value, Value(13.47));
  EXPECT_EQ(table.rows[0][10].value, Value(std::int64_t{50}));
}

TEST(Prompts, TheShareOfTheStatedLengthIsTheMediansOwn) {
  runs::RunData run;
  for (int i = 0; i < 3; ++i) {
    run.samples.push_back(make_sample("fa", "ruler/a", 1000, i, 1));
    run.samples.back().prompt_tokens = 900 + 10 * i;
  }
  const Document document = document_of("prompts", input_of(std::move(run)));
  EXPECT_EQ(document.tables.at(0).rows[0][6].value, Value(91.0));
  EXPECT_TRUE(document.tables.at(0).folded);
}

}  // namespace
}  // namespace elastic::reports
