#include "reports/published_ablations.h"

#include <algorithm>

#include "reports/published.h"

namespace elastic::reports {
namespace {

constexpr std::string_view kDenseRow = "FA";  // no setting of a router

// The numbers of one column, a point a row.
std::vector<PublishedPoint> points_of(std::string_view experiment, std::string_view column) {
  std::vector<PublishedPoint> points;
  for (const PublishedNumber& number : published_numbers(experiment)) {
    if (number.column != column || number.row == kDenseRow) continue;
    if (points.empty() || points.back().setting != number.row) points.push_back({number.row});
    if (number.quantity == "score") points.back().score = number.value;
    if (number.quantity == "msr") points.back().msr = number.value;
  }
  return points;
}

}  // namespace

const PublishedAblation* find_published_ablation(std::string_view name) {
  static const std::vector<PublishedAblation> all = {
      {"hidden-size", "hidden width of the router's MLPs, times head_dim",
       "RULER mean, Qwen3-4B (table 3)", points_of("table3", "RULER")},
      {"target-sparsity", "target MSR of sparsity-sensitive tasks",
       "LongBench-E overall, Qwen3-4B (figure 7, digitised: score to 0.02, MSR to .003)",
       points_of("fig7", "avg")},
      {"pool-budget", "keys pooled at each end of the prompt",
       "LongBench-E overall, Qwen3-4B (figure 14, digitised: score to 0.02, MSR to .002)",
       points_of("fig14", "avg")},
  };
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace elastic::reports
