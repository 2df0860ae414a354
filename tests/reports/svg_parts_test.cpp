// Scales, ticks and colours of figures against their definitions.

#include <gtest/gtest.h>

#include <cmath>

#include "reports/render/render.h"
#include "reports/render/svg.h"

namespace elastic::reports {
namespace {

std::vector<std::string> labels_of(const std::vector<Tick>& ticks) {
  std::vector<std::string> labels;
  for (const Tick& tick : ticks) {
    labels.push_back(tick.label);
    EXPECT_NEAR(std::stod(tick.label), tick.value, 1e-5 * std::abs(tick.value) + 1e-12);
  }
  return labels;
}

using Labels = std::vector<std::string>;

TEST(SvgParts, LinearTicksAreRoundAndWithin) {
  EXPECT_EQ(labels_of(linear_ticks(0, 1, 5)), (Labels{"0", "0.2", "0.4", "0.6", "0.8", "1"}));
  EXPECT_EQ(labels_of(linear_ticks(0, 10, 5)), (Labels{"0", "2", "4", "6", "8", "10"}));
  EXPECT_EQ(labels_of(linear_ticks(0.1, 10.9, 5)), (Labels{"5", "10"}));
  EXPECT_EQ(labels_of(linear_ticks(-7, 7, 5)), (Labels{"-5", "0", "5"}));
  EXPECT_EQ(labels_of(linear_ticks(-0.25, 0.25, 5)), (Labels{"-0.2", "-0.1", "0", "0.1", "0.2"}));
  EXPECT_EQ(labels_of(linear_ticks(0, 5.5, 1)), (Labels{"0"}));
  EXPECT_EQ(labels_of(linear_ticks(0, 4, 4)), (Labels{"0", "1", "2", "3", "4"}));
  EXPECT_EQ(labels_of(linear_ticks(0, 4.1, 4)), (Labels{"0", "2", "4"}));
  EXPECT_EQ(labels_of(linear_ticks(0, 0, 5)), Labels{"0"});
  EXPECT_EQ(labels_of(linear_ticks(3, 3, 5)), Labels{"3"});
  EXPECT_EQ(labels_of(linear_ticks(-3, -3, 5)), Labels{"-3"});
  EXPECT_EQ(labels_of(linear_ticks(5, 1, 5)), Labels{"5"}) << "no stretch at all";
  for (const Tick& tick : linear_ticks(-1, 1, 4)) {
    EXPECT_FALSE(tick.value == 0 && std::signbit(tick.value)) << "no minus before nothing";
    EXPECT_NE(tick.label, "-0");
  }
}

TEST(SvgParts, LogTicksAreOneTwoFive) {
  EXPECT_EQ(labels_of(log_ticks(1, 100)), (Labels{"1", "2", "5", "10", "20", "50", "100"}));
  EXPECT_EQ(labels_of(log_ticks(0.3, 6)), (Labels{"0.5", "1", "2", "5"}));
  EXPECT_EQ(labels_of(log_ticks(2, 5)), (Labels{"2", "5"}));
  EXPECT_EQ(labels_of(log_ticks(2.1, 4.9)), Labels{});
}

TEST(SvgParts, ScalesMapTheirEndsAndTheMiddle) {
  const Scale linear{10, 30, 100, 200};
  EXPECT_DOUBLE_EQ(linear(10), 100);
  EXPECT_DOUBLE_EQ(linear(30), 200);
  EXPECT_DOUBLE_EQ(linear(15), 125);
  EXPECT_DOUBLE_EQ(linear(40), 250);
  const Scale log{1, 3, 300, 100, true};
  EXPECT_DOUBLE_EQ(log(2), 300);
  EXPECT_DOUBLE_EQ(log(4), 200);
  EXPECT_DOUBLE_EQ(log(8), 100);
  const Scale flat{3, 3, 10, 30};
  EXPECT_DOUBLE_EQ(flat(3), 20);
  EXPECT_DOUBLE_EQ(flat(7), 20);
}

TEST(SvgParts, CividisRunsFromBlueToYellow) {
  EXPECT_EQ(cividis(0), "#00224e");
  EXPECT_EQ(cividis(1), "#fee838");
  EXPECT_EQ(cividis(-1), cividis(0));
  EXPECT_EQ(cividis(2), cividis(1));
  EXPECT_EQ(cividis(1.0 / 9), "#123570");
  EXPECT_EQ(cividis(0.5 / 9), "#092c5f") << "half way";
  EXPECT_EQ(cividis(4.25 / 9), "#777674");
  // Luminance 120 lies between the fifth and the sixth sample, at 4.342 ninths.
  EXPECT_FALSE(cividis_is_bright(4.33 / 9));
  EXPECT_TRUE(cividis_is_bright(4.35 / 9));
  EXPECT_FALSE(cividis_is_bright(0));
  EXPECT_TRUE(cividis_is_bright(1));
}

TEST(SvgParts, KnownModesHaveTheirColoursOthersTheNext) {
  Palette palette;
  std::vector<int> slots;
  for (const char* key : {"fa", "fa-ssa", "ssa", "fa-xa", "xa", "xa-ssa", "a", "b", "c", "d", "a",
                          "fa", "e", "f", "g", "h", "i", "b"}) {
    slots.push_back(palette.slot(key));
  }
  EXPECT_EQ(slots, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 6, 0, 2, 3, 4, 5, 6, 7}));
}

TEST(SvgParts, TextsAreEscapedAndMeasured) {
  EXPECT_EQ(escape_html("a<b>&\"'\x01é"), "a&lt;b&gt;&amp;&quot;&#39;\\x01é");
  EXPECT_DOUBLE_EQ(text_width("abc"), 3 * 6.6);
  EXPECT_DOUBLE_EQ(text_width("é–…"), 3 * 6.6) << "letters, not bytes";
  EXPECT_EQ(svg_line(1, 2.04, 3.06, 4, "c"),
            R"(<line class="c" x1="1.0" y1="2.0" x2="3.1" y2="4.0"/>)");
  EXPECT_EQ(svg_text(1, 2, "<", "c"), R"(<text class="c" x="1.0" y="2.0">&lt;</text>)");
  const SvgSize size = svg_size(svg_open(120.4, 33.6, "width=\"7\" > label"));
  EXPECT_EQ(size.width, 120);
  EXPECT_EQ(size.height, 34);
}

TEST(SvgParts, NamesOfFilesAreLettersDigitsAndDashes) {
  EXPECT_EQ(file_stem("az-AZ_09"), "az-AZ_09");
  EXPECT_EQ(file_stem("a/../b é"), "a____b___");
  EXPECT_EQ(file_stem(""), "_");
}

}  // namespace
}  // namespace elastic::reports
