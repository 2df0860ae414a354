// Lines and means of a training's curves, at every number of steps around the edges of their rules.

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "reports/training_curves.h"
#include "tests/testing/folders.h"

namespace elastic::reports {
namespace {

// Steps 0 ... n-1 with loss = 2 * step, but where `gap` says that there is none.
TrainingCurves steps(
    int n, bool (*gap)(int) = [](int) { return false; }) {
  std::string text = "step,loss,msr.a\n";
  for (int i = 0; i < n; ++i) {
    text += std::to_string(i) + "," + (gap(i) ? "" : std::to_string(2 * i)) + ",0.5\n";
  }
  TrainingCurves curves = parse_training_curves(text, "x");
  curves.name = "run";
  return curves;
}

const std::vector<Point>& loss_points(const Document& document) {
  return std::get<Chart>(document.figures.at(0).panels.at(0)).series.at(0).points;
}

// At most 120 points, each the mean of equally many steps.
TEST(TrainingLines, PointsAreMeansOfEqualStretches) {
  for (const int n : {1, 2, 119, 120, 121, 239, 240, 241, 360, 361}) {
    const int stride = (n + 119) / 120;
    const Document document = training_document({steps(n)});
    const std::vector<Point>& points = loss_points(document);
    ASSERT_EQ(points.size(), static_cast<std::size_t>((n + stride - 1) / stride)) << n;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const int first = static_cast<int>(i) * stride, last = std::min(first + stride, n) - 1;
      EXPECT_DOUBLE_EQ(points[i].x, (first + last) / 2.0) << n;
      EXPECT_DOUBLE_EQ(points[i].y, first + last) << n;
    }
  }
}

TEST(TrainingLines, StretchesWithoutAValueHaveNoPoint) {
  const Document document = training_document({steps(6, [](int i) { return i % 3 != 1; })});
  const std::vector<Point>& points = loss_points(document);
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].x, 1);
  EXPECT_EQ(points[1].x, 4);
  EXPECT_EQ(points[1].detail, "loss: 8 about step 4");
  // Two steps a stretch, of which one has a value.
  const Document half = training_document({steps(240, [](int i) { return i % 2 == 0; })});
  EXPECT_EQ(loss_points(half).size(), 120u);
  EXPECT_EQ(loss_points(half)[3].x, 7);
  const Document none = training_document({steps(3, [](int) { return true; })});
  ASSERT_EQ(none.figures.at(0).panels.size(), 1u) << "no line, no panel; MSR has one";
  EXPECT_EQ(std::get<Chart>(none.figures[0].panels[0]).title, "Share of sparse heads by task");
}

TEST(TrainingLines, TheLastTenthIsRoundedUp) {
  for (const auto& [n, tenth] : std::vector<std::pair<int, int>>{
           {1, 1}, {2, 1}, {10, 1}, {11, 2}, {20, 2}, {21, 3}, {100, 10}, {101, 11}}) {
    EXPECT_DOUBLE_EQ(last_mean(steps(n), "loss").value(), (n - 1) + (n - tenth)) << n;
  }
  EXPECT_DOUBLE_EQ(last_mean(steps(30, [](int i) { return i != 28; }), "loss").value(), 56);
  EXPECT_FALSE(last_mean(steps(30, [](int i) { return i > 20; }), "loss"));
  EXPECT_FALSE(last_mean(steps(0), "loss"));
}

TEST(TrainingLines, PanelsAndTheirNames) {
  TrainingCurves curves = parse_training_curves(
      "step,loss,lm,answer,reg,tau,msr.ruler/a,lambda1.ruler/a,lambda2.ruler/a,other\n"
      "1,2,3,4,5,6,0.5,8,9,10\n2,2,3,4,5,6,0.5,8,9,10.123456789\n",
      "x");
  curves.name = "run";
  const Document document = training_document({curves});
  const Figure& figure = document.figures.at(0);
  EXPECT_EQ(figure.id, "training_run");
  EXPECT_EQ(figure.title, "Training curves: run");
  std::vector<std::string> panels;
  for (const auto& panel : figure.panels) {
    const auto& chart = std::get<Chart>(panel);
    std::string& text = panels.emplace_back(chart.title + " (" + chart.y.title + "):");
    for (const Series& series : chart.series) {
      text +=
          " " + series.name + (series.line ? "" : " no line") + (series.markers ? " marked" : "");
    }
  }
  EXPECT_EQ(panels,
            (std::vector<std::string>{"Loss (loss): loss lm answer", "Sparsity term (reg): reg",
                                      "Share of sparse heads by task (MSR): ruler/a",
                                      "Multipliers of |D| by task (lambda 1): ruler/a",
                                      "Multipliers of D² by task (lambda 2): ruler/a",
                                      "Gumbel-softmax temperature (tau): tau"}));
  const Sheet& sheet = document.sheets.at(0);
  EXPECT_EQ(sheet.id, "training_run");
  EXPECT_EQ(sheet.columns.size(), 10u);
  ASSERT_EQ(sheet.rows.size(), 2u);
  EXPECT_EQ(sheet.rows[1][0], Value(2.0));
  EXPECT_EQ(sheet.rows[1][9], Value(10.12345679)) << "eight decimals";
}

std::string error_of(const std::string& text) {
  try {
    parse_training_curves(text, "file");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    return error.what();
  }
  return "";
}

TEST(TrainingLines, FaultsAreNamedByLineAndColumn) {
  EXPECT_EQ(error_of("step,a\n1,2\n3\n"), "file: line 3: 1 fields, the header has 2");
  EXPECT_EQ(error_of("step,a\n1,2,3\n"), "file: line 2: 3 fields, the header has 2");
  EXPECT_EQ(error_of("step,a\n1,x\n"), "file: line 2: a: `x` is no number");
  EXPECT_EQ(error_of("a,step\n"), "file: no header line that starts with `step`");
  EXPECT_EQ(error_of(""), "file: no header line that starts with `step`");
  EXPECT_EQ(error_of("step\n"), "");
  const TrainingCurves curves = parse_training_curves("step,a\n1,9e29\n2,1e30\n3,-1e30\n", "x");
  EXPECT_TRUE(curves.values.at("a")[0]);
  EXPECT_FALSE(curves.values.at("a")[1]) << "diverged";
  EXPECT_FALSE(curves.values.at("a")[2]);
}

TEST(TrainingLines, NamesAreThoseOfTheFolder) {
  const testing::TemporaryFolder folder;
  create_folders(folder / "router");
  write_file_atomic(folder / "router/curves.csv", "step\n1\n");
  EXPECT_EQ(read_training_curves(folder / "router").name, "router");
  EXPECT_EQ(read_training_curves(folder / "router/").name, "router");
  EXPECT_EQ(read_training_curves(folder / "router/../router").name, "router");
}

}  // namespace
}  // namespace elastic::reports
