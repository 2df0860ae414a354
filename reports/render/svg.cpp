#include "reports/render/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "base/unicode.h"

namespace elastic::reports {
namespace {

struct Rgb {
  double r, g, b;
};

// Ten equidistant samples of the map; linear in between is within one 8-bit step.
constexpr std::array<Rgb, 10> kCividis{{{0x00, 0x22, 0x4e},
                                        {0x12, 0x35, 0x70},
                                        {0x3b, 0x49, 0x6c},
                                        {0x57, 0x5d, 0x6d},
                                        {0x70, 0x71, 0x73},
                                        {0x8a, 0x86, 0x78},
                                        {0xa5, 0x9c, 0x74},
                                        {0xc3, 0xb3, 0x69},
                                        {0xe1, 0xcc, 0x55},
                                        {0xfe, 0xe8, 0x38}}};

Rgb cividis_rgb(double share) {
  const double at = std::clamp(share, 0.0, 1.0) * (kCividis.size() - 1);
  const auto low = std::min(static_cast<std::size_t>(at), kCividis.size() - 2);
  const double t = at - static_cast<double>(low);
  const Rgb& a = kCividis[low];
  const Rgb& b = kCividis[low + 1];
  return {a.r + t * (b.r - a.r), a.g + t * (b.g - a.g), a.b + t * (b.b - a.b)};
}

double round_step(double raw) {
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power * 1.0001) return factor * power;
  }
  return 10 * power;
}

}  // namespace

int Palette::slot(const std::string& key) {
  const auto [at, fresh] = slots_.try_emplace(key, next_);
  if (fresh) next_ = (next_ + 1) % kSlots;
  return at->second;
}

std::string cividis(double share) {
  const Rgb colour = cividis_rgb(share);
  return fmt::format("#{:02x}{:02x}{:02x}", std::lround(colour.r), std::lround(colour.g),
                     std::lround(colour.b));
}

bool cividis_is_bright(double share) {
  const Rgb colour = cividis_rgb(share);
  return 0.299 * colour.r + 0.587 * colour.g + 0.114 * colour.b > 120;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : visible(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

double Scale::operator()(double value) const {
  const double at = log ? std::log2(value) : value;
  if (to == from) return (start + end) / 2;
  return start + (at - from) / (to - from) * (end - start);
}

std::vector<Tick> linear_ticks(double low, double high, int wanted) {
  std::vector<Tick> ticks;
  // Ticks of a stretch that doubles can hardly tell apart would never come to its end.
  const double resolution = 1e-9 * std::abs(high);
  if (!(high - low > resolution)) return {{low, fmt::format("{:g}", low)}};
  const double step = round_step((high - low) / wanted);
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + step * 1e-9; ++k) {
    ticks.push_back({k * step + 0.0, fmt::format("{:g}", std::round(k * step * 1e9) / 1e9 + 0.0)});
  }
  return ticks;
}

std::vector<Tick> log_ticks(double low, double high) {
  std::vector<Tick> ticks;
  for (double power = std::pow(10.0, std::floor(std::log10(low))); power <= high; power *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double value = factor * power;
      if (value >= low * 0.9999 && value <= high * 1.0001) {
        ticks.push_back({value, fmt::format("{:g}", value)});
      }
    }
  }
  return ticks;
}

std::string svg_line(double x1, double y1, double x2, double y2, std::string_view css) {
  return fmt::format(R"(<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)", css,
                     x1, y1, x2, y2);
}

std::string svg_text(double x, double y, std::string_view text, std::string_view css) {
  return fmt::format(R"(<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>)", css, x, y,
                     escape_html(text));
}

std::string svg_open(double width, double height, std::string_view label) {
  return fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{}" viewBox="0 0 {:.0f} {:.0f}" width="{:.0f}" height="{:.0f}">)",
      escape_html(label), width, height, width, height);
}

SvgSize svg_size(std::string_view svg) {
  const std::string_view tag = svg.substr(0, svg.find('>'));
  const auto attribute = [tag](std::string_view name) {
    const std::string opening = fmt::format(" {}=\"", name);
    const std::string_view value = tag.substr(tag.find(opening) + opening.size());
    return parse_double(value.substr(0, value.find('"'))).value();
  };
  return {attribute("width"), attribute("height")};
}

double text_width(std::string_view text) {
  const auto characters = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
  return 6.6 * static_cast<double>(characters);
}

std::string svg_panel(const Figure& figure, std::size_t panel, Palette& palette) {
  const auto& shape = figure.panels[panel];
  if (const auto* chart = std::get_if<Chart>(&shape)) return svg_chart(*chart, palette);
  if (const auto* bars = std::get_if<Bars>(&shape)) return svg_bars(*bars);
  return svg_heatmap(std::get<Heatmap>(shape), figure.scale_min, figure.scale_max);
}

std::string svg_colour_bar(const Figure& figure) {
  const bool heatmaps =
      std::any_of(figure.panels.begin(), figure.panels.end(),
                  [](const auto& panel) { return std::holds_alternative<Heatmap>(panel); });
  if (!heatmaps) return "";
  const double low = figure.scale_min, high = figure.scale_max;
  constexpr int kSteps = 40;
  constexpr double kWidth = 200, kHeight = 10, kLeft = 10, kTop = 16;
  std::string svg = svg_open(kWidth + 2 * kLeft, 44, figure.scale_title);
  svg += svg_text(kLeft, 11, figure.scale_title, "tick start");
  for (int i = 0; i < kSteps; ++i) {
    svg += fmt::format(R"(<rect x="{:.1f}" y="{}" width="{:.1f}" height="{}" fill="{}"/>)",
                       kLeft + i * kWidth / kSteps, kTop, kWidth / kSteps + 0.5, kHeight,
                       cividis((i + 0.5) / kSteps));
  }
  for (const Tick& tick : linear_ticks(low, high, 4)) {
    const double x = kLeft + (tick.value - low) / (high - low) * kWidth;
    svg += svg_text(x, kTop + kHeight + 13, tick.label, "tick middle");
  }
  return svg + "</svg>";
}

}  // namespace elastic::reports
