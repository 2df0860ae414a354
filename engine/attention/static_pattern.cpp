#include "engine/attention/static_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "engine/attention/registry.h"

namespace elastic::engine {
namespace {

[[noreturn]] void corrupt(const std::filesystem::path& path, const std::string& why) {
  throw Error(
      ErrorKind::kCorrupt,
      fmt::format("{}: {} (expected one line per layer with a number per KV head, separated "
                  "by tabs)",
                  path.string(), why));
}

// Heads fixed by a file, one decision per layer.
class StaticPatternPolicy final : public HeadPolicy {
 public:
  StaticPatternPolicy(std::vector<std::uint8_t> is_sparse, std::int64_t kv_heads,
                      std::string description)
      : is_sparse_(std::move(is_sparse)),
        kv_heads_(kv_heads),
        description_(std::move(description)) {}

  std::string describe() const override { return description_; }

  HeadDecision decide(std::int64_t layer, const at::Tensor&) const override {
    const auto first = is_sparse_.begin() + layer * kv_heads_;
    return {.is_sparse = {first, first + kv_heads_}, .router_logits = {}};
  }

 private:
  std::vector<std::uint8_t> is_sparse_;  // [layers, kv_heads]
  std::int64_t kv_heads_;
  std::string description_;
};

}  // namespace

bool HeadPattern::is_binary() const {
  return std::all_of(gates.begin(), gates.end(), [](double g) { return g == 0 || g == 1; });
}

HeadPattern read_head_pattern(const std::filesystem::path& path) {
  const std::string text = read_file(path);
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
        corrupt(path, fmt::format("line {}: `{}` is not a number", number, cell.substr(0, 40)));
      }
      pattern.gates.push_back(std::clamp(*gate, 0.0, 1.0));
      ++columns;
    }
    if (pattern.layers == 0) pattern.kv_heads = columns;
    if (columns != pattern.kv_heads) {
      corrupt(path, fmt::format("line {} has {} numbers, the first line {}", number, columns,
                                pattern.kv_heads));
    }
    ++pattern.layers;
  }
  if (pattern.layers == 0) corrupt(path, "no lines");
  return pattern;
}

std::vector<std::uint8_t> sparse_by_share(std::span<const double> gates, double sparsity) {
  const auto total = static_cast<double>(gates.size());
  const auto count = static_cast<std::size_t>(sparsity <= 0   ? 0
                                              : sparsity >= 1 ? total
                                                              : std::ceil(sparsity * (total - 1)));
  std::vector<std::size_t> order(gates.size());
  std::iota(order.rbegin(), order.rend(), std::size_t{0});  // of equal gates the later one first
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return gates[a] < gates[b]; });
  std::vector<std::uint8_t> is_sparse(gates.size(), 0);
  for (std::size_t i = 0; i < count; ++i) is_sparse[order[i]] = 1;
  return is_sparse;
}

std::vector<std::uint8_t> sparse_by_threshold(std::span<const double> gates, double threshold) {
  std::vector<std::uint8_t> is_sparse;
  for (const double gate : gates) is_sparse.push_back(gate < threshold ? 1 : 0);
  return is_sparse;
}

std::unique_ptr<HeadPolicy> make_static_pattern(ModeOptions& options, const PlanContext& context) {
  const std::optional<std::string> path = options.value("pattern");
  const std::optional<double> sparsity = options.fraction("sparsity");
  const std::optional<double> threshold = options.fraction("threshold");
  if (!path) {
    if (!sparsity && !threshold) return nullptr;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: sparsity and threshold apply to a pattern file; add "
                            "pattern=FILE.tsv",
                            options.text()));
  }
  const HeadPattern pattern = read_head_pattern(*path);
  if (pattern.layers != context.layers || pattern.kv_heads != context.heads_kv) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: {} layers x {} KV heads, but the model has {} x {}", *path,
                            pattern.layers, pattern.kv_heads, context.layers, context.heads_kv));
  }
  std::string description = fmt::format("pattern={}", *path);
  if (pattern.is_binary()) {
    return std::make_unique<StaticPatternPolicy>(sparse_by_threshold(pattern.gates, 0.5),
                                                 pattern.kv_heads, std::move(description));
  }
  if (sparsity.has_value() == threshold.has_value()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: {} holds graded gates; give sparsity=0..1 (share of "
                            "streaming heads) or threshold=0..1 (gates that count as full)",
                            options.text(), *path));
  }
  description +=
      sparsity ? fmt::format(",sparsity={}", *sparsity) : fmt::format(",threshold={}", *threshold);
  return std::make_unique<StaticPatternPolicy>(sparsity
                                                   ? sparse_by_share(pattern.gates, *sparsity)
                                                   : sparse_by_threshold(pattern.gates, *threshold),
                                               pattern.kv_heads, std::move(description));
}

}  // namespace elastic::engine
