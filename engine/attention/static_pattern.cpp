// Heads fixed by a pattern file (sparse_attention spec 6, 7).

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "engine/attention/registry.h"
#include "engine/io/head_pattern.h"

namespace elastic::engine {
namespace {

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
    HeadDecision decision;
    decision.is_sparse = {first, first + kv_heads_};
    return decision;
  }

 private:
  std::vector<std::uint8_t> is_sparse_;  // [layers, kv_heads]
  std::int64_t kv_heads_;
  std::string description_;
};

}  // namespace

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
  if (std::error_code ignored; !std::filesystem::is_regular_file(*path, ignored)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: pattern={} is no file; give the path of a pattern file",
                            options.text(), *path));
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
