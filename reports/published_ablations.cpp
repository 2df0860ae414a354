#include "reports/published_ablations.h"

#include <algorithm>

namespace elastic::reports {
namespace {

constexpr PublishedPoint kHiddenSize[] = {{"2", 60.67, std::nullopt},
                                          {"4", 61.81, std::nullopt},
                                          {"6", 62.08, std::nullopt},
                                          {"8", 65.27, std::nullopt}};
constexpr PublishedPoint kTargetSparsity[] = {
    {"0.4", 49.00, .63}, {"0.5", 48.88, .69}, {"0.6", 48.08, .72}, {"0.7", 48.37, .77}};
constexpr PublishedPoint kPoolBudget[] = {{"50", 48.59, .705},  {"100", 48.08, .726},
                                          {"200", 48.63, .728}, {"400", 48.59, .747},
                                          {"800", 47.88, .750}, {"all", 47.33, .749}};

constexpr PublishedAblation kAblations[] = {
    {"hidden-size", "hidden width of the router's MLPs, times head_dim",
     "RULER mean, Qwen3-4B (table 3)", kHiddenSize},
    {"target-sparsity", "target MSR of sparsity-sensitive tasks",
     "LongBench-E overall, Qwen3-4B (figure 7, digitised: score to 0.02, MSR to .003)",
     kTargetSparsity},
    {"pool-budget", "keys pooled at each end of the prompt",
     "LongBench-E overall, Qwen3-4B (figure 14, digitised: score to 0.02, MSR to .002)",
     kPoolBudget},
};

}  // namespace

const PublishedAblation* find_published_ablation(std::string_view name) {
  const auto* found = std::find_if(std::begin(kAblations), std::end(kAblations),
                                   [&](const PublishedAblation& a) { return a.name == name; });
  return found == std::end(kAblations) ? nullptr : found;
}

}  // namespace elastic::reports
