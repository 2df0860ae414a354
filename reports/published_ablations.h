#pragma once

// The ablations printed in the paper (arXiv 2601.17367), Qwen3-4B with FA-SSA, as points by setting
// (published.h has all of their columns).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::reports {

struct PublishedPoint {
  std::string setting;
  double score = 0;  // 0-100
  std::optional<double> msr;
};

struct PublishedAblation {
  std::string_view name;     // of the ablation
  std::string_view setting;  // what is varied
  std::string_view measure;  // what the paper's score is
  std::vector<PublishedPoint> points;
};

/// Null for a name that the paper has no ablation of.
const PublishedAblation* find_published_ablation(std::string_view name);

}  // namespace elastic::reports
