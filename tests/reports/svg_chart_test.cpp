// Rules of line charts that no golden of the fixture run shows.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "reports/render/svg.h"

namespace elastic::reports {
namespace {

Chart lines(int count, bool lengths) {
  Chart chart;
  chart.x = {"step"};
  chart.x.lengths = lengths;
  chart.y = {"loss"};
  for (int i = 0; i < count; ++i) {
    const std::string name = fmt::format("line {}", i);
    Series series{name, name, {}, true, false};
    for (const double x : {1024.0, 2048.0}) {
      series.points.emplace_back();
      series.points.back().x = x;
      series.points.back().y = i;
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

// Where the curves begin, in the chart's order.
std::vector<double> starts(const std::string& svg) {
  std::vector<double> x;
  for (std::size_t at = svg.find(" d=\"M"); at != std::string::npos;
       at = svg.find(" d=\"M", at + 1)) {
    x.push_back(std::stod(svg.substr(at + 5)));
  }
  return x;
}

TEST(SvgChart, OnlyLinesOverLengthsStandApart) {
  Palette palette;
  const std::vector<double> steps = starts(svg_chart(lines(3, false), palette));
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0], steps[2]);
  const std::vector<double> lengths = starts(svg_chart(lines(3, true), palette));
  ASSERT_EQ(lengths.size(), 3u);
  EXPECT_LT(lengths[0], lengths[2]);
}

// Two values that differ in their last digits: their round steps vanish beside them.
TEST(SvgChart, TicksComeToAnEnd) {
  EXPECT_EQ(linear_ticks(1e17, 1e17 + 16, 5).size(), 1u);
  EXPECT_EQ(linear_ticks(2, 2, 5).size(), 1u);
  EXPECT_EQ(linear_ticks(0, 1, 5).size(), 6u);
}

TEST(SvgChart, ASecondSeriesOfOneColourIsDashed) {
  Palette palette;
  const Chart chart = lines(Palette::kSlots + 1, false);
  EXPECT_FALSE(repeats_slot(chart, chart.series[0], palette));
  EXPECT_FALSE(repeats_slot(chart, chart.series[Palette::kSlots - 1], palette));
  EXPECT_TRUE(repeats_slot(chart, chart.series[Palette::kSlots], palette));
  EXPECT_NE(svg_chart(chart, palette).find("curve s1 dashed"), std::string::npos);
}

}  // namespace
}  // namespace elastic::reports
