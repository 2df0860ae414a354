// Whole prediction folders and result tables, equal to the official ones in every digit.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "tasks/scoring/evaluate.h"
#include "tasks/scoring/v2_scores.h"
#include "tests/tasks/longbench_golden.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;
using testing::expect_all_ran;
using testing::longbench_rows;
using testing::Rows;

// NaN literals become text, so that they equal each other.
Json read_result(const std::string& text) {
  return parse_json(replace_all(text, "NaN", "\"NaN\""), "result.json");
}

Json sorted(const Json& object) {
  return nlohmann::json::parse(object.dump());  // keys by name
}

// The evaluation of a folder as one result.json.
std::string evaluate(const fs::path& pred, bool e, const LongbenchScorer& scorer) {
  std::vector<LongbenchSetScores> sets;
  const std::vector<LongbenchFile> files = find_longbench_predictions(pred).front().files;
  for (const LongbenchFile& file : files) {
    sets.push_back(evaluate_longbench_file(file, scorer).scores);
  }
  return longbench_result_json(sets, e);
}

bool needs_words(const fs::path& pred) {
  const auto files = find_longbench_predictions(pred).front().files;
  return std::any_of(files.begin(), files.end(), [](const LongbenchFile& file) {
    const LongbenchSet* set = find_longbench_set(file.set);
    return set != nullptr && needs_segmentation(*set);
  });
}

void check_folders(std::string_view name, bool e) {
  const fs::path folder = testing::golden_folder("longbench") / name;
  if (!fs::exists(folder)) GTEST_SKIP() << "golden folder absent: longbench/" << name;
  const LongbenchScorer scorer{.code = CodeSimilarity::kDifflib, .segmenter = testing::segmenter()};
  std::size_t ran = 0, without_words = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().string());
    const fs::path pred = entry.path() / "pred";
    if (needs_words(pred) && scorer.segmenter == nullptr) {
      ++without_words;
      continue;
    }
    ++ran;
    EXPECT_EQ(is_longbench_e(pred), e);
    if (fs::exists(entry.path() / "expected_error.txt")) {
      EXPECT_THROW(evaluate(pred, e, scorer), Error);
      continue;
    }
    EXPECT_EQ(sorted(read_result(evaluate(pred, e, scorer))),
              sorted(read_result(read_file(entry.path() / "expected_result.json"))));
  }
  const auto stored = std::distance(fs::directory_iterator(folder), fs::directory_iterator());
  expect_all_ran(ran, static_cast<std::size_t>(stored), without_words);
}

TEST(Golden_longbench, Folders) { check_folders("eval_v1", false); }
TEST(Golden_longbench, FoldersOfE) { check_folders("eval_e", true); }

std::size_t jsonl_files(const fs::path& folder) {
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    files += entry.path().extension() == ".jsonl" ? 1 : 0;
  }
  return files;
}

// Prediction files beside a published result.json.
std::size_t published_sets(const fs::path& data) {
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(data)) {
    if (fs::exists(entry.path() / "result.json")) files += jsonl_files(entry.path());
  }
  return files;
}

// The four published sets of real predictions: every set equals its published score in one of the
// two definitions of code similarity.
TEST(Golden_longbench, PublishedPredictions) {
  const fs::path data = testing::data_path("longbench_pred");
  if (data.empty()) GTEST_SKIP() << "data folder absent: longbench_pred";
  LongbenchScorer scorer{.code = CodeSimilarity::kDifflib, .segmenter = testing::segmenter()};
  std::size_t cases = 0, without_words = 0;
  for (const LongbenchFolder& folder : find_longbench_predictions(data)) {
    const auto published = published_longbench_result(folder.folder);
    if (!published) continue;
    for (const LongbenchFile& file : folder.files) {
      const LongbenchSet& set = longbench_set(file.set);
      if (needs_segmentation(set) && scorer.segmenter == nullptr) {
        ++without_words;
        continue;
      }
      SCOPED_TRACE(file.path.string());
      scorer.code = CodeSimilarity::kDifflib;
      const LongbenchFileResult result = evaluate_longbench_file(file, scorer);
      const auto number = [&](const LongbenchSetScores& scores) {
        const Json all = parse_json(longbench_result_json(std::span(&scores, 1), folder.e), "");
        return all.at(file.set);
      };
      scorer.code = CodeSimilarity::kIndel;
      const Json difflib = number(result.scores), indel = number(rescore_longbench(result, scorer));
      const Json& expected = published->at(file.set);
      EXPECT_TRUE(difflib == expected || indel == expected)
          << difflib << " or " << indel << ", published " << expected;
      ++cases;
    }
  }
  expect_all_ran(cases, published_sets(data), without_words);
}

std::string joined(const Json& lines) { return join(lines.get<std::vector<std::string>>(), "\n"); }

// The rows of one golden case, written as the file it describes.
void write_case(const Json& file, const fs::path& path) {
  std::string text;
  if (file.at("format") == "array") {
    text = dump_line(file.at("records"));
  } else {
    for (const Json& record : file.at("records")) text += dump_line(record) + "\n";
  }
  write_file_atomic(path, text);
}

TEST(Golden_longbench, V2Tables) {
  const std::vector<Json> rows = longbench_rows("v2_result.jsonl", Rows::kGolden);
  for (const Json& row : rows) {
    SCOPED_TRACE(row.at("id").get<std::string>());
    const testing::TemporaryFolder folder;
    std::vector<V2Set> sets;
    for (const auto& [name, file] : row.at("files").items()) {
      write_case(file, folder / name);
      sets.push_back(read_v2_predictions(folder / name));
    }
    const V2TableOptions options{.compensated = row.at("compensated").get<bool>()};
    const std::string table = v2_result_text(sets, options);
    if (row.contains("expected") && !row.at("expected").is_null()) {
      EXPECT_EQ(table, joined(row.at("expected")));
    } else {
      EXPECT_TRUE(table.find("none") != std::string::npos || sets.front().single_object);
    }
  }
  testing::expect_every_line(rows.size(), "v2_result.jsonl", Rows::kGolden);
}

TEST(Golden_longbench, V2PublishedPredictions) {
  const fs::path data = testing::data_path("longbench_v2/predictions");
  if (data.empty()) GTEST_SKIP() << "data folder absent: longbench_v2/predictions";
  const std::string published = read_file(data / "result.txt");
  const std::vector<std::string_view> lines = split(published, '\n');
  std::size_t cases = 0;
  for (const fs::path& file : find_v2_predictions(data)) {
    const V2Set set = read_v2_predictions(file);
    const std::string table = v2_result_text(std::span(&set, 1), {});
    const std::string row = table.substr(table.find('\n') + 1);
    EXPECT_NE(std::find(lines.begin(), lines.end(), row), lines.end()) << row;
    ++cases;
  }
  expect_all_ran(cases, jsonl_files(data));
}

}  // namespace
}  // namespace elastic::tasks
