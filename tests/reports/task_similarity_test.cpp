#include "reports/task_similarity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace elastic::reports {
namespace {

using Vectors = std::vector<std::vector<float>>;

TEST(TaskSimilarity, EqualsTheFormulaByHand) {
  // Means (1, 1) and (0, 1); mean squares over all three vectors 2/3 and 5/3, means not subtracted:
  // cosine = (1 / (5/3)) / sqrt((1 / (2/3) + 1 / (5/3)) / (5/3)) = .6 / sqrt(1.26).
  const std::vector<Vectors> tasks{{{1, 0}, {1, 2}}, {{0, 1}}};
  const SimilarityMatrix matrix = similarity_matrix(tasks);
  EXPECT_NEAR(matrix[0][1].value(), 0.6 / std::sqrt(1.26), 1e-7);
  EXPECT_DOUBLE_EQ(*matrix[0][1], *matrix[1][0]);
  EXPECT_NEAR(matrix[0][0].value(), 1, 1e-12);
}

TEST(TaskSimilarity, AnElementsScaleDoesNotMatter) {
  const std::vector<Vectors> small{{{1, 2}, {3, 1}}, {{2, -1}, {0.5, 4}}};
  const std::vector<Vectors> large{{{1000, 2}, {3000, 1}}, {{2000, -1}, {500, 4}}};
  EXPECT_NEAR(*similarity_matrix(small)[0][1], *similarity_matrix(large)[0][1], 1e-6);
}

TEST(TaskSimilarity, OppositeTasksAndTasksWithoutADirection) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<Vectors> tasks{{{1, 2}}, {{-1, -2}}, {{1, 1}, {-1, -1}}, {{nan, 1}}};
  const SimilarityMatrix matrix = similarity_matrix(tasks);
  EXPECT_NEAR(matrix[0][1].value(), -1, 1e-12);
  EXPECT_FALSE(matrix[0][2].has_value());  // a mean of zero
  EXPECT_FALSE(matrix[0][3].has_value());
}

TEST(TaskSimilarity, DocumentShowsPairsBesideThePaper) {
  const std::vector<TaskFeatures> tasks{{"ruler/vt", {{1, 2}}, {{1, 0}}},
                                        {"ruler/cwe", {{1, 2}, {2, 4}}, {{-1, 0}, {-1, 0}}}};
  const Document document = task_similarity_document({task_similarity("demo", 3, tasks)});
  const Table& table = document.tables.at(0);
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_DOUBLE_EQ(std::get<double>(table.rows[0][3].value), 1);   // before
  EXPECT_DOUBLE_EQ(std::get<double>(table.rows[0][6].value), -1);  // after
  EXPECT_DOUBLE_EQ(std::get<double>(table.rows[1][3].value), 0.72);
  EXPECT_DOUBLE_EQ(std::get<double>(table.rows[1][6].value), 0.195);
  ASSERT_EQ(document.figures.size(), 2u);
  const auto& map = std::get<Heatmap>(document.figures[0].panels.at(1));
  EXPECT_EQ(map.x_labels, (std::vector<std::string>{"vt", "cwe"}));
  EXPECT_EQ(document.figures[0].scale_min, -1);
  EXPECT_EQ(document.figures[0].caption, "1 to 2 samples a task.");
  ASSERT_EQ(document.sheets.at(0).rows.size(), 4u);
  EXPECT_EQ(std::get<std::int64_t>(document.sheets[0].rows[1][7]), 2);
}

}  // namespace
}  // namespace elastic::reports
