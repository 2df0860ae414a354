#include "reports/pareto_front.h"

#include <algorithm>

namespace elastic::reports {
namespace {

bool dominates(const Objectives& a, const Objectives& b) {
  bool better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!a[i] || !b[i]) continue;
    if (*a[i] < *b[i]) return false;
    better = better || *a[i] > *b[i];
  }
  return better;
}

bool has_score(const Objectives& candidate) {
  return !candidate.empty() && candidate.front().has_value();
}

}  // namespace

std::vector<bool> pareto_front(std::span<const Objectives> candidates) {
  std::vector<bool> on;
  for (const Objectives& candidate : candidates) {
    on.push_back(has_score(candidate) &&
                 std::none_of(candidates.begin(), candidates.end(), [&](const Objectives& other) {
                   return has_score(other) && dominates(other, candidate);
                 }));
  }
  return on;
}

}  // namespace elastic::reports
