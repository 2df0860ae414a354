#pragma once

// Figures as inline SVG. Colours and fonts come from the page's style sheet (classes, CSS
// variables), so one drawing serves light, dark and print;
// the page's script resolves them for export.

#include <map>
#include <string>
#include <string_view>

#include "engine/api/mode_list.h"
#include "reports/document.h"

namespace elastic::reports {

/// Colour slots of series: the first is the dense mode's, the others go to names as they come.
class Palette {
 public:
  static constexpr int kSlots = 8;
  int slot(const std::string& key);

 private:
  std::map<std::string, int> slots_ = {{std::string(engine::kDenseMode), 0}};
  int next_ = 1;
};

/// Whether an earlier series of the chart has the same colour slot: its line is dashed.
bool repeats_slot(const Chart& chart, const Series& series, Palette& palette);

std::string svg_chart(const Chart& chart, Palette& palette);
std::string svg_heatmap(const Heatmap& map, double low, double high);
std::string svg_bars(const Bars& bars);
/// One panel of a figure, whichever kind it is.
std::string svg_panel(const Figure& figure, std::size_t panel, Palette& palette);
/// The shared colour bar of a figure's heatmaps; empty where it has none.
std::string svg_colour_bar(const Figure& figure);

/// Pixels of a drawing, as its opening tag says.
struct SvgSize {
  double width = 0, height = 0;
};
SvgSize svg_size(std::string_view svg);

/// Cividis (Nunez, Anderton, Renslow 2018): perceptually uniform, made for colour-vision
/// deficiencies. "#rrggbb" for a share in [0, 1].
std::string cividis(double share);
/// Whether text on that colour should be dark.
bool cividis_is_bright(double share);

/// &, <, > and both quotes escaped, unprintable characters spelt out; fit for text and attributes.
std::string escape_html(std::string_view text);

/// Data value -> position.
struct Scale {
  double from = 0, to = 1;    // data, in the transformed space
  double start = 0, end = 1;  // pixels
  bool log = false;
  double operator()(double value) const;
};

struct Tick {
  double value;
  std::string label;
};

/// About `wanted` round ticks over [low, high].
std::vector<Tick> linear_ticks(double low, double high, int wanted);
/// 1-2-5 ticks over positive [low, high].
std::vector<Tick> log_ticks(double low, double high);

/// One SVG element's opening with its numbers to a tenth of a pixel.
std::string svg_line(double x1, double y1, double x2, double y2, std::string_view css);
std::string svg_text(double x, double y, std::string_view text, std::string_view css);
std::string svg_open(double width, double height, std::string_view label);

/// Estimated width in pixels of text at the figures' font size.
double text_width(std::string_view text);

}  // namespace elastic::reports
