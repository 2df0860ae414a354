// Where labels and cells of figures come to stand.

#include <gtest/gtest.h>

#include <random>

#include "reports/render/svg.h"
#include "tests/reports/drawn_documents.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

struct Box {
  double left, top, right, bottom;
};

bool overlap(const Box& a, const Box& b) {
  return std::max(a.left, b.left) < std::min(a.right, b.right) &&
         std::max(a.top, b.top) < std::min(a.bottom, b.bottom);
}

// Upper right, upper left, lower right, lower left, above, below, right, left: the first place
// where a label of 14 pixels' height is in the plot and meets neither marker nor label.
std::vector<std::pair<double, double>> expected_places(const std::vector<Point>& points) {
  const Scale x{-6, 106, 58, 462}, y{-6, 106, 292, 12};
  std::vector<Box> taken;
  for (const Point& p : points) {
    taken.push_back({x(p.x) - 7, y(p.y) - 7, x(p.x) + 7, y(p.y) + 7});
  }
  std::vector<std::pair<double, double>> places;
  for (const Point& p : points) {
    const double width = text_width(p.label), px = x(p.x), py = y(p.y);
    std::optional<std::pair<double, double>> found;
    const std::vector<std::pair<double, double>> tries{
        {px + 9, py - 8},          {px - 9 - width, py - 8},  {px + 9, py + 16},
        {px - 9 - width, py + 16}, {px - width / 2, py - 14}, {px - width / 2, py + 22},
        {px + 12, py + 4},         {px - 12 - width, py + 4}};
    for (const auto& [left, base] : tries) {
      const Box box{left, base - 11, left + width, base + 3};
      const bool inside = box.left >= 58 && box.right <= 478 && box.top >= 2 && box.bottom <= 292;
      const bool free = std::none_of(taken.begin(), taken.end(),
                                     [&](const Box& other) { return overlap(box, other); });
      if (inside && free && !found) found = {left, base};
    }
    places.push_back(found.value_or(tries[0]));
    const auto& [left, base] = places.back();
    taken.push_back({left, base - 11, left + width, base + 3});
  }
  return places;
}

TEST(Placement, LabelsTakeTheFirstFreePlace) {
  std::mt19937_64 random(11);
  for (int repeat = 0; repeat < 60; ++repeat) {
    Chart chart;
    chart.x = {"x", 0.0, 100.0};
    chart.y = {"y", 0.0, 100.0};
    std::vector<Point> points;
    const std::uint64_t spread = 101 - static_cast<std::uint64_t>(repeat % 4) * 30;
    for (std::uint64_t i = 0, n = 3 + random() % 12; i < n; ++i) {
      const auto at = [&] { return static_cast<double>((repeat % 3) * 10 + random() % spread); };
      const double x = std::min(at(), 100.0), y = std::min(at(), 100.0);
      points.push_back(point_at(x, y, std::string(1 + random() % 12, 'l')));
      chart.series.push_back({"s", "fa", {points.back()}});
    }
    Palette palette;
    const std::string svg = svg_chart(chart, palette);
    std::string expected;
    for (std::size_t i = 0; const auto& [left, base] : expected_places(points)) {
      expected += svg_text(left, base, points[i++].label, "label s0");
    }
    EXPECT_TRUE(svg.ends_with(expected + "</svg>")) << repeat << "\n" << svg << "\n" << expected;
  }
}

TEST(Placement, AScaleOfNoWidthIsDark) {
  Heatmap map = heatmap_like("", 1, 1);
  map.values = {{0.5}};
  EXPECT_TRUE(contains(svg_heatmap(map, 0.5, 0.5), "fill=\"#00224e\""));
  EXPECT_TRUE(contains(svg_heatmap(map, 0, 0.5), "fill=\"#fee838\""));
}

// Cells of more than nine pixels stand a pixel apart; 17 columns share 150.
TEST(Placement, SmallCellsTouch) {
  EXPECT_TRUE(contains(svg_heatmap(heatmap_like("", 1, 17), 0, 1), "width=\"8.8\" height=\"8.8\""));
  EXPECT_TRUE(contains(svg_heatmap(heatmap_like("", 1, 16), 0, 1), "width=\"8.4\" height=\"8.4\""));
  // 20 rows share 210.
  EXPECT_TRUE(contains(svg_heatmap(heatmap_like("", 20, 1), 0, 1), "y=\"213.0\""));
}

// Of nine columns each has 36.7 pixels: five letters and six pixels fit, six letters do not.
TEST(Placement, NamesThatFitStandUpright) {
  for (const std::size_t letters : {5UL, 6UL}) {
    Heatmap map = heatmap_like("", 1, 9);
    map.digits = 0;
    map.x_labels.assign(9, std::string(letters, 'n'));
    EXPECT_EQ(contains(svg_heatmap(map, 0, 1), "rotate(-45)"), letters == 6) << letters;
  }
}

// Names that are written across are thinned out until they do not touch.
TEST(Placement, LabelsOfManyColumnsAreThinned) {
  const auto shown = [](std::size_t columns, std::size_t letters) {
    Heatmap map = heatmap_like("", 1, columns);
    map.x_labels.assign(columns, std::string(letters, 'q'));
    const std::string svg = svg_heatmap(map, 0, 1);
    std::size_t n = 0;
    for (std::size_t at = svg.find(">q"); at != std::string::npos; at = svg.find(">q", at + 1)) ++n;
    return n;
  };
  EXPECT_EQ(shown(4, 3), 4u) << "26 pixels each, 3 letters take 23.8";
  EXPECT_EQ(shown(4, 4), 2u) << "29.8";
  EXPECT_EQ(shown(10, 6), 4u) << "15 pixels each, 41.6 needed: every third";
}

TEST(Placement, AnEmptyChartHasAxes) {
  Palette palette;
  const std::string svg = svg_chart(small_chart("nothing", {}), palette);
  EXPECT_FALSE(contains(svg, "nan"));
  EXPECT_TRUE(contains(svg, ">0.5</text>")) << "from 0 to 1";
}

}  // namespace
}  // namespace elastic::reports
