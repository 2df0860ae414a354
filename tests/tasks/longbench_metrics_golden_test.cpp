// The official scorer's values, sample by sample: every row of golden/longbench that is there.

#include <gtest/gtest.h>

#include "base/python_number.h"
#include "base/unicode.h"
#include "tasks/longbench/aggregate.h"
#include "tasks/metrics/choice.h"
#include "tasks/metrics/count.h"
#include "tasks/metrics/qa_f1.h"
#include "tests/tasks/longbench_golden.h"

namespace elastic::tasks {
namespace {

using testing::expect_every_line;
using testing::hex_double;
using testing::longbench_rows;
using testing::Rows;

std::vector<std::string> texts(const Json& list) { return list.get<std::vector<std::string>>(); }

struct Expected {
  const char* per_answer;
  const char* all;
};

void check_row(const Json& row, const LongbenchScorer& scorer, const Expected& expected) {
  SCOPED_TRACE(row.at("id").get<std::string>());
  const LongbenchSet& set = longbench_set(row.at("dataset").get<std::string>());
  const std::string prediction = row.at("prediction").get<std::string>();
  const std::vector<std::string> answers = texts(row.at("answers"));
  std::vector<std::string> classes;
  if (row.at("all_classes").is_array()) classes = texts(row.at("all_classes"));
  const double score = longbench_score(set, {prediction, answers, &classes}, scorer);
  EXPECT_EQ(score, row.at(expected.all).get<double>());
  if (row.contains("expected_hex") && std::string_view(expected.all) == "expected") {
    EXPECT_EQ(score, hex_double(row, "expected_hex"));
  }
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const std::vector<std::string> one = {answers[i]};
    EXPECT_EQ(longbench_score(set, {prediction, one, &classes}, scorer),
              row.at(expected.per_answer)[i].get<double>())
        << "answer " << i;
  }
}

void check_metrics(Rows from) {
  LongbenchScorer scorer{.code = CodeSimilarity::kDifflib, .segmenter = testing::segmenter()};
  std::size_t cases = 0, stored = 0, without_words = 0;
  for (const char* metric : {"qa_f1", "qa_f1_zh", "rouge", "rouge_zh", "classification", "count",
                             "retrieval", "retrieval_zh", "code_sim"}) {
    const std::string name = std::string(metric) + ".jsonl";
    const std::size_t lines = testing::stored_lines(testing::longbench_file(name, from));
    if (from == Rows::kOwn) {
      EXPECT_GT(lines, 0U) << name;
    }
    stored += lines;
    for (const Json& row : longbench_rows(name, from)) {
      const bool zh = needs_segmentation(longbench_set(row.at("dataset").get<std::string>()));
      if (zh && scorer.segmenter == nullptr) {
        ++without_words;
        continue;
      }
      scorer.code = CodeSimilarity::kDifflib;
      check_row(row, scorer, {"per_answer", "expected"});
      ++cases;
      if (!row.contains("expected_levenshtein")) continue;
      scorer.code = CodeSimilarity::kIndel;
      check_row(row, scorer, {"per_answer_levenshtein", "expected_levenshtein"});
    }
  }
  testing::expect_all_ran(cases, stored, without_words);
}

TEST(Golden_longbench, Metrics) { check_metrics(Rows::kGolden); }
TEST(LongbenchOwn, Metrics) { check_metrics(Rows::kOwn); }

TEST(Golden_longbench, Texts) {
  const std::vector<Json> rows = longbench_rows("normalize.jsonl", Rows::kGolden);
  for (const Json& row : rows) {
    SCOPED_TRACE(row.at("id").get<std::string>());
    const std::string text = row.at("text").get<std::string>();
    EXPECT_EQ(lower_case(text), row.at("lower").get<std::string>());
    const std::string normal = normalize_answer(text);
    EXPECT_EQ(normal, row.at("normalize").get<std::string>());
    const auto tokens = split_white_space(normal);
    EXPECT_EQ(std::vector<std::string>(tokens.begin(), tokens.end()), texts(row.at("tokens")));
    EXPECT_EQ(normalize_zh_answer(text), row.at("normalize_zh").get<std::string>());
    const auto words = split_white_space(text);
    EXPECT_EQ(std::vector<std::string>(words.begin(), words.end()), texts(row.at("split")));
    EXPECT_EQ(std::string(strip_white_space(text)), row.at("strip").get<std::string>());
    const auto digits = digit_runs(text);
    EXPECT_EQ(std::vector<std::string>(digits.begin(), digits.end()), texts(row.at("digits")));
  }
  expect_every_line(rows.size(), "normalize.jsonl", Rows::kGolden);
}

void check_segmentation(Rows from) {
  const auto segmenter = testing::segmenter();
  const std::vector<Json> rows = longbench_rows("jieba_cut.jsonl", from);
  std::size_t cases = 0;
  for (const Json& row : rows) {
    if (segmenter == nullptr) break;
    const std::string text = row.at("text").get<std::string>();
    const auto tokens = segmenter->cut(text);
    EXPECT_EQ(std::vector<std::string>(tokens.begin(), tokens.end()), texts(row.at("tokens")))
        << row.at("id");
    ++cases;
  }
  expect_every_line(cases, "jieba_cut.jsonl", from, segmenter == nullptr ? rows.size() : 0);
}

TEST(Golden_longbench, Segmentation) { check_segmentation(Rows::kGolden); }
TEST(LongbenchOwn, Segmentation) { check_segmentation(Rows::kOwn); }

TEST(Golden_longbench, Rounding) {
  const std::vector<Json> rows = longbench_rows("rounding.jsonl", Rows::kGolden);
  for (const Json& row : rows) {
    SCOPED_TRACE(row.at("id").get<std::string>());
    const double x = hex_double(row, "x_hex");
    EXPECT_EQ(python_float(python_round(x, 2)), row.at("py_round2").get<std::string>());
    EXPECT_EQ(python_float(python_round(x, 1)), row.at("py_round1").get<std::string>());
    EXPECT_EQ(python_float(numpy_round(x, 2)), row.at("np_round2").get<std::string>());
  }
  expect_every_line(rows.size(), "rounding.jsonl", Rows::kGolden);
}

TEST(Golden_longbench, Means) {
  const std::vector<Json> rows = longbench_rows("mean.jsonl", Rows::kGolden);
  for (const Json& row : rows) {
    SCOPED_TRACE(row.at("id").get<std::string>());
    const auto values = row.at("values").get<std::vector<double>>();
    EXPECT_EQ(numpy_mean(values), hex_double(row, "np_mean_hex"));
    EXPECT_EQ(python_float(numpy_round(100 * numpy_mean(values), 2)),
              row.at("np_100mean_round2").get<std::string>());
    EXPECT_EQ(python_float(longbench_set_score(values)),
              row.at("seq_100sum_over_n_round2").get<std::string>());
  }
  expect_every_line(rows.size(), "mean.jsonl", Rows::kGolden);
}

TEST(Golden_longbench, Averages) {
  const std::vector<Json> rows = longbench_rows("loom_average.jsonl", Rows::kGolden);
  for (const Json& row : rows) {
    EXPECT_EQ(python_float(loom_overall(row.at("scores").get<std::vector<double>>(),
                                        row.at("counts").get<std::vector<std::int64_t>>())),
              row.at("expected_overall").get<std::string>())
        << row.at("id");
  }
  expect_every_line(rows.size(), "loom_average.jsonl", Rows::kGolden);
}

void check_choices(Rows from) {
  const std::vector<Json> rows = longbench_rows("v2_extract.jsonl", from);
  for (const Json& row : rows) {
    const std::optional<char> choice = extract_choice(row.at("response").get<std::string>());
    const Json expected = choice ? Json(std::string(1, *choice)) : Json(nullptr);
    EXPECT_EQ(expected, row.at("expected")) << row.at("id");
  }
  expect_every_line(rows.size(), "v2_extract.jsonl", from);
}

TEST(Golden_longbench, Choices) { check_choices(Rows::kGolden); }
TEST(LongbenchOwn, Choices) { check_choices(Rows::kOwn); }

}  // namespace
}  // namespace elastic::tasks
