#pragma once

// The ablations printed in the paper (arXiv 2601.17367), Qwen3-4B with FA-SSA: numbers to compare
// with, as printed or digitised from its figures.

#include <optional>
#include <span>
#include <string_view>

namespace elastic::reports {

struct PublishedPoint {
  std::string_view setting;
  double score;  // 0-100
  std::optional<double> msr;
};

struct PublishedAblation {
  std::string_view name;     // of the ablation
  std::string_view setting;  // what is varied
  std::string_view measure;  // what the paper's score is
  std::span<const PublishedPoint> points;
};

/// Null for a name that the paper has no ablation of.
const PublishedAblation* find_published_ablation(std::string_view name);

}  // namespace elastic::reports
