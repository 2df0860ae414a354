#include "tasks/metrics/string_match.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "datasets/jsonl.h"
#include "tasks/scoring/ruler_predictions.h"
#include "tasks/scoring/ruler_scores.h"
#include "tests/testing/cases.h"
#include "tests/testing/folders.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> strings(const Json& list) { return list.get<std::vector<std::string>>(); }

// The official score of one sample, 0..100; nothing where upstream raises an error.
std::optional<double> score_of(std::string_view metric, const Json& row) {
  const std::string prediction = ruler_postprocess(row.at("pred").get<std::string>());
  try {
    return score_ruler_task("t", metric,
                            {{.prediction = prediction, .references = strings(row.at("refs"))}})
        .score;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<double> number_or_null(const Json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

void check_single(const fs::path& file) {
  std::size_t cases = 0;
  datasets::JsonlReader rows(file);
  while (const auto row = rows.next()) {
    SCOPED_TRACE(rows.where());
    const std::string post = ruler_postprocess(row->at("pred").get<std::string>());
    EXPECT_EQ(post, row->at("post").get<std::string>());
    EXPECT_EQ(post.empty(), row->at("null").get<bool>());
    for (const char* metric : {"string_match_all", "string_match_part"}) {
      EXPECT_EQ(score_of(metric, *row), number_or_null(row->at(metric))) << metric;
    }
    ++cases;
  }
  testing::expect_all_ran(cases, testing::stored_lines(file));
}

void check_batch(const fs::path& file) {
  std::size_t cases = 0;
  datasets::JsonlReader rows(file);
  while (const auto row = rows.next()) {
    SCOPED_TRACE(rows.where());
    std::vector<RulerPrediction> predictions;
    for (std::size_t i = 0; i < row->at("preds").size(); ++i) {
      RulerPrediction p{.prediction = ruler_postprocess(row->at("preds")[i].get<std::string>())};
      for (const char letter : row->at("refs")[i].get<std::string>()) {
        p.references.emplace_back(1, letter);
      }
      predictions.push_back(std::move(p));
    }
    for (const char* metric : {"string_match_all", "string_match_part"}) {
      EXPECT_EQ(score_ruler_task("t", metric, predictions).score, row->at(metric).get<double>());
    }
    ++cases;
  }
  testing::expect_all_ran(cases, testing::stored_lines(file));
}

// Task order and metrics of the official configuration.
const std::vector<std::string> kTasks = {"niah_single_1",
                                         "niah_single_2",
                                         "niah_single_3",
                                         "niah_multikey_1",
                                         "niah_multikey_2",
                                         "niah_multikey_3",
                                         "niah_multivalue",
                                         "niah_multiquery",
                                         "vt",
                                         "cwe",
                                         "fwe",
                                         "qa_1",
                                         "qa_2"};

std::vector<RulerTaskResult> score_folder(const fs::path& folder) {
  const auto sets = find_ruler_predictions(folder, kTasks);
  EXPECT_EQ(sets.size(), 1u);
  std::vector<RulerTaskResult> results;
  for (const std::string& task : kTasks) {
    const auto files = sets.front().files.find(task);
    if (files == sets.front().files.end()) continue;
    const char* metric = task.starts_with("qa") ? "string_match_part" : "string_match_all";
    results.push_back(score_ruler_task(task, metric, read_ruler_predictions(files->second)));
  }
  return results;
}

void check_folder(const fs::path& folder) {
  const auto results = score_folder(folder / "pred");
  EXPECT_EQ(ruler_summary_csv(results),
            read_file(folder / "expected" / ruler_summary_name(results)));
  EXPECT_EQ(ruler_submission_csv(results), read_file(folder / "expected" / "submission.csv"));
}

TEST(Golden_ruler, ScorerSingle) {
  const auto file = testing::golden_folder("ruler/scorer_single.jsonl");
  if (file.empty()) GTEST_SKIP() << "golden folder absent: ruler/scorer_single.jsonl";
  check_single(file);
}

TEST(Golden_ruler, ScorerBatch) {
  const auto file = testing::golden_folder("ruler/scorer_batch.jsonl");
  if (file.empty()) GTEST_SKIP() << "golden folder absent: ruler/scorer_batch.jsonl";
  check_batch(file);
}

// Every evaluate* folder that holds pred/ and expected/.
TEST(Golden_ruler, EvaluateEndToEnd) {
  const auto folder = testing::golden_folder("ruler");
  if (folder.empty()) GTEST_SKIP() << "golden folder absent: ruler";
  std::size_t cases = 0, stored = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    stored += entry.path().filename().string().starts_with("evaluate") ? 1 : 0;
    if (!fs::is_directory(entry.path() / "pred") || !fs::is_directory(entry.path() / "expected")) {
      continue;
    }
    SCOPED_TRACE(entry.path().string());
    check_folder(entry.path());
    ++cases;
  }
  testing::expect_all_ran(cases, stored);
}

TEST(StringMatch, OwnGoldens) {
  EXPECT_GT(testing::stored_lines(testing::fixture("ruler_scorer/single.jsonl")), 20U);
  check_single(testing::fixture("ruler_scorer/single.jsonl"));
  check_folder(testing::fixture("ruler_scorer"));
}

TEST(StringMatch, ReferencesAreSubstringsWithoutCase) {
  const std::vector<std::string> two = {"Alpha", "beta"};
  EXPECT_DOUBLE_EQ(string_match_all("the ALPHABET", two), 0.5);
  EXPECT_DOUBLE_EQ(string_match_part("the ALPHABET", two), 1);
  EXPECT_DOUBLE_EQ(string_match_part("gamma", two), 0);
  EXPECT_THROW(string_match_all("x", {}), Error);
  EXPECT_THROW(string_match_part("x", {}), Error);
}

TEST(StringMatch, PostprocessKeepsWhatIsBetweenAndStripsTheEnds) {
  EXPECT_EQ(ruler_postprocess(" \x01 a\x02\tb \n\x1f"), "a\n\nb");
  EXPECT_EQ(ruler_postprocess("\xC2\xA0x\xE3\x80\x80"), "x");  // no-break and ideographic space
  EXPECT_EQ(ruler_postprocess(std::string_view("\0\0", 2)), "");
}

TEST(RulerScores, RoundsTheExactBinaryValue) {
  // 2.675 and 1.005 lie just below their decimal spelling; 0.125 is a true tie and goes to even.
  EXPECT_EQ(ruler_task_score(std::vector<double>{0.02675}), 2.67);
  EXPECT_EQ(ruler_task_score(std::vector<double>{0.00125}), 0.12);
  EXPECT_EQ(ruler_task_score(std::vector<double>{1, 0, 1}), 66.67);
  EXPECT_EQ(ruler_task_score({}), 0);
}

TEST(RulerScores, SummaryNamesASingleTask) {
  const std::vector<RulerTaskResult> one = {{.task = "vt", .score = 5}};
  EXPECT_EQ(ruler_summary_name(one), "summary-vt.csv");
  EXPECT_EQ(ruler_summary_csv(one), "0,1\nTasks,vt\nScore,5.0\nNulls,0/0\n");
}

TEST(RulerScores, AveragesOfAPublishedRow) {
  const std::map<std::int64_t, double> row = {{4096, 96.6},  {8192, 96.3},  {16384, 95.2},
                                              {32768, 93.2}, {65536, 87.0}, {131072, 81.2}};
  const RulerAverages averages = ruler_averages(row);
  EXPECT_NEAR(averages.average, 91.6, 0.05);
  EXPECT_NEAR(averages.weighted_increasing, 89.0, 0.05);
  EXPECT_NEAR(averages.weighted_decreasing, 94.1, 0.05);
  EXPECT_EQ(ruler_effective_length(row), "64K");
}

TEST(RulerScores, EffectiveLengthAtItsEdges) {
  EXPECT_EQ(ruler_effective_length({}), "");
  EXPECT_EQ(ruler_effective_length({{1000, 99}}), "");
  EXPECT_EQ(ruler_effective_length({{4096, 85.6}}), "<4K");
  EXPECT_EQ(ruler_effective_length({{4096, 85.7}, {8192, 10}}), "4K");
  EXPECT_EQ(ruler_effective_length({{131072, 90}}), ">128K");
}

// Summaries of a real run, as its authors published them.
TEST(RulerScores, ReadsPublishedSummaries) {
  const auto root = testing::data_path("ruler_samples");
  if (root.empty()) GTEST_SKIP() << "data folder absent: ruler_samples";
  int summaries = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().filename() != "summary.csv") continue;
    ++summaries;
    const std::string published = read_file(entry.path());
    const auto rows = parse_csv(published, entry.path().string());  // names, tasks, scores, nulls
    std::vector<RulerTaskResult> results;
    for (std::size_t i = 1; i < rows.at(1).size(); ++i) {
      const std::string& nulls = rows.at(3).at(i);  // K/N
      results.push_back(
          {.task = rows[1][i], .score = std::stod(rows.at(2).at(i)), .nulls = std::stoll(nulls)});
      results.back().predictions.resize(std::stoul(nulls.substr(nulls.find('/') + 1)));
    }
    EXPECT_EQ(results.size(), kTasks.size());
    EXPECT_EQ(ruler_summary_csv(results), published);
  }
  EXPECT_GT(summaries, 0);
}

}  // namespace
}  // namespace elastic::tasks
