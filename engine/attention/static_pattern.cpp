// Heads fixed by a pattern file: any, DuoAttention's or PruLong's (sparse_attention spec 6, 7).

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/attention/registry.h"
#include "engine/io/head_pattern.h"

namespace elastic::engine {
namespace {

class FixedHeads final : public HeadPolicy {
 public:
  FixedHeads(std::vector<std::uint8_t> is_sparse, std::int64_t kv_heads, std::string description)
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

// The option, or what the model's folder has for the method; empty without either.
std::filesystem::path pattern_file(ModeOptions& options, const PlanContext& context,
                                   const PatternRule& rule) {
  std::error_code ignored;
  if (const std::optional<std::string> given = options.value("pattern")) {
    if (std::filesystem::is_regular_file(*given, ignored)) return *given;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: pattern={} is no file; give the path of a pattern file",
                            options.text(), *given));
  }
  if (rule.in_model == nullptr || context.folder.empty()) return {};
  std::filesystem::path own = context.folder / rule.in_model;
  return std::filesystem::is_regular_file(own, ignored) ? own : std::filesystem::path();
}

HeadPattern read_pattern_of(const std::filesystem::path& path, const PlanContext& context) {
  HeadPattern pattern = read_head_pattern(path);
  if (pattern.layers != context.layers || pattern.kv_heads != context.heads_kv) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: {} layers x {} KV heads, but the model has {} x {}", path.string(),
                            pattern.layers, pattern.kv_heads, context.layers, context.heads_kv));
  }
  return pattern;
}

[[noreturn]] void refuse_without_file(const ModeOptions& options, const PatternRule& rule) {
  if (rule.in_model == nullptr) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: sparsity and threshold apply to a pattern file; add "
                            "pattern=FILE.tsv",
                            options.text()));
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("mode `{}`: no pattern says which heads are full; give "
                          "{}:pattern=FILE.tsv, or put it into the model's folder as {}",
                          options.text(), options.name(), rule.in_model));
}

}  // namespace

std::unique_ptr<HeadPolicy> make_fixed(std::vector<std::uint8_t> is_sparse, std::int64_t kv_heads,
                                       std::string description) {
  return std::make_unique<FixedHeads>(std::move(is_sparse), kv_heads, std::move(description));
}

std::unique_ptr<HeadPolicy> make_pattern_policy(ModeOptions& options, const PlanContext& context,
                                                const PatternRule& rule) {
  const std::filesystem::path path = pattern_file(options, context, rule);
  std::optional<double> sparsity = options.fraction("sparsity");
  std::optional<double> threshold = options.fraction("threshold");
  if (path.empty()) refuse_without_file(options, rule);
  const HeadPattern pattern = read_pattern_of(path, context);
  const auto policy = [&](std::vector<std::uint8_t> is_sparse, const std::string& choice) {
    std::vector<std::string> said;
    if (options.value("pattern")) said.push_back(fmt::format("pattern={}", path.string()));
    said.push_back(options.contents("pattern_sha256", path));
    if (!choice.empty()) said.push_back(choice);
    return make_fixed(std::move(is_sparse), pattern.kv_heads, join(said, ","));
  };
  if (pattern.is_binary()) return policy(sparse_by_threshold(pattern.gates, 0.5), "");
  if (!sparsity && !threshold) {
    sparsity = rule.sparsity;
    threshold = rule.threshold;
  }
  if (sparsity.has_value() == threshold.has_value()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("mode `{}`: {} holds graded gates; give sparsity=0..1 (share of "
                            "streaming heads) or threshold=0..1 (gates that count as full)",
                            options.text(), path.string()));
  }
  return sparsity ? policy(rule.by_share(pattern.gates, *sparsity),
                           fmt::format("sparsity={}", *sparsity))
                  : policy(sparse_by_threshold(pattern.gates, *threshold),
                           fmt::format("threshold={}", *threshold));
}

std::unique_ptr<HeadPolicy> make_static_pattern(ModeOptions& options, const PlanContext& context) {
  const bool meant =
      options.value("pattern") || options.value("sparsity") || options.value("threshold");
  return meant ? make_pattern_policy(options, context, {}) : nullptr;
}

std::string window_beside_pattern(ModeOptions& options, const PlanContext& context,
                                  const PatternRule& rule) {
  const std::filesystem::path pattern = pattern_file(options, context, rule);
  const std::filesystem::path config = pattern.parent_path() / "config.json";
  if (std::error_code ignored; pattern.empty() || !std::filesystem::exists(config, ignored)) {
    return {};
  }
  const Json json = read_json(config);
  const JsonSource in{json, config.string()};
  if (!json.is_object() || !json.contains("sink_size") || !json.contains("recent_size")) return {};
  return fmt::format("sink={},local={}", json_get<std::int64_t>(in, "sink_size"),
                     json_get<std::int64_t>(in, "recent_size"));
}

}  // namespace elastic::engine
