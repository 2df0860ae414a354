#include "engine/io/head_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace elastic::engine {
namespace {

[[noreturn]] void corrupt(std::string_view source, const std::string& why) {
  throw Error(
      ErrorKind::kCorrupt,
      fmt::format("{}: {} (expected one line per layer with a number per KV head, separated "
                  "by tabs)",
                  source, why));
}

// 1 for the `count` smallest; of equal gates the later one first.
std::vector<std::uint8_t> smallest(std::span<const double> gates, double count) {
  std::vector<std::size_t> order(gates.size());
  std::iota(order.rbegin(), order.rend(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return gates[a] < gates[b]; });
  std::vector<std::uint8_t> is_sparse(gates.size(), 0);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) is_sparse[order[i]] = 1;
  return is_sparse;
}

}  // namespace

bool HeadPattern::is_binary() const {
  return std::all_of(gates.begin(), gates.end(), [](double g) { return g == 0 || g == 1; });
}

HeadPattern read_head_pattern(const std::filesystem::path& path) {
  return parse_head_pattern(read_file(path), path.string());
}

HeadPattern parse_head_pattern(std::string_view text, std::string_view source) {
  HeadPattern pattern;
  std::int64_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    line = strip(line);
    if (line.empty()) continue;
    std::int64_t columns = 0;
    for (const std::string_view cell : split(line, '\t')) {
      const std::optional<double> gate = parse_double(strip(cell));
      if (!gate || !std::isfinite(*gate)) {
        corrupt(source, fmt::format("line {}: `{}` is not a number", number, cell.substr(0, 40)));
      }
      pattern.gates.push_back(std::clamp(*gate, 0.0, 1.0));
      ++columns;
    }
    if (pattern.layers == 0) pattern.kv_heads = columns;
    if (columns != pattern.kv_heads) {
      corrupt(source, fmt::format("line {} has {} numbers, the first line {}", number, columns,
                                  pattern.kv_heads));
    }
    ++pattern.layers;
  }
  if (pattern.layers == 0) corrupt(source, "no lines");
  return pattern;
}

std::vector<std::uint8_t> sparse_by_share(std::span<const double> gates, double sparsity) {
  const auto total = static_cast<double>(gates.size());
  return smallest(gates, sparsity <= 0   ? 0
                         : sparsity >= 1 ? total
                                         : std::ceil(sparsity * (total - 1)));
}

std::vector<std::uint8_t> sparse_by_kept(std::span<const double> gates, double sparsity) {
  const auto total = static_cast<double>(gates.size());
  return smallest(gates, total - std::floor(total * (1 - sparsity)));
}

std::vector<std::uint8_t> sparse_by_threshold(std::span<const double> gates, double threshold) {
  std::vector<std::uint8_t> is_sparse;
  for (const double gate : gates) is_sparse.push_back(gate < threshold ? 1 : 0);
  return is_sparse;
}

}  // namespace elastic::engine
