#include "runs/repetition.h"

#include <algorithm>

#include "runs/statistics.h"

namespace elastic::runs {

std::optional<double> median_spread(const std::vector<double>& values) {
  const std::optional<Interval> interval = median_interval(values);
  if (!interval) return std::nullopt;
  return 100 * (interval->high - interval->low) / 2 / median(values);
}

bool enough(const Repetition& rule, const std::vector<std::vector<double>>& times, double seconds) {
  const auto turns = static_cast<int>(times.front().size());
  if (rule.fixed > 0) return turns >= rule.fixed;
  if (turns < rule.least) return false;
  if (turns >= rule.most || seconds >= rule.seconds * static_cast<double>(times.size()))
    return true;
  return std::all_of(times.begin(), times.end(), [&](const std::vector<double>& values) {
    const std::optional<double> spread = median_spread(values);
    return spread && *spread <= rule.within;
  });
}

}  // namespace elastic::runs
