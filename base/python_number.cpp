#include "base/python_number.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace elastic {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kBlock = 128;

double pairwise_sum(std::span<const double> v) {
  double sum = 0;
  if (v.size() < kLanes) {
    for (const double x : v) sum += x;
    return sum;
  }
  if (v.size() > kBlock) {
    const std::size_t half = v.size() / 2 / kLanes * kLanes;
    return pairwise_sum(v.first(half)) + pairwise_sum(v.subspan(half));
  }
  std::array<double, kLanes> r{};
  for (std::size_t i = 0; i < kLanes; ++i) r[i] = v[i];
  std::size_t i = kLanes;
  for (; i + kLanes <= v.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) r[lane] += v[i + lane];
  }
  sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  for (; i < v.size(); ++i) sum += v[i];
  return sum;
}

}  // namespace

std::string python_float(double value) {
  if (std::isnan(value)) return "nan";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

double python_round(double value, int digits) {
  if (!std::isfinite(value)) return value;
  std::array<char, 512> text{};  // DBL_MAX has 309 digits before the point
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits)
          .ptr;
  double rounded = 0;
  std::from_chars(text.data(), end, rounded);
  return rounded;
}

double numpy_round(double value, int digits) {
  const double scale = std::pow(10.0, digits);
  return std::nearbyint(value * scale) / scale;
}

double numpy_mean(std::span<const double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  return pairwise_sum(values) / static_cast<double>(values.size());
}

}  // namespace elastic
