#include "engine/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace elastic::engine {

double rate_factor(const OptimizerOptions& options, std::int64_t step, std::int64_t steps) {
  const auto at = static_cast<double>(step), all = static_cast<double>(steps);
  const double warm = std::ceil(options.warmup * all);
  if (at < warm) return (at + 1) / warm;
  const double flat = std::max(warm, options.hold * all);
  if (at < flat) return 1;
  const double share = (at - flat) / (all - flat);
  return options.floor + (1 - options.floor) * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

double temperature(const RouterOptions& options, std::int64_t step, std::int64_t steps) {
  const auto at = static_cast<double>(step), all = static_cast<double>(steps);
  if (options.tau_schedule == TauSchedule::kExponential) {
    return std::max(options.tau_end, options.tau_start * std::exp(-options.tau_rate * at / all));
  }
  const double last = std::ceil(options.tau_share * all);
  if (at >= last) return options.tau_end;
  return options.tau_end +
         (options.tau_start - options.tau_end) * 0.5 * (1 + std::cos(std::numbers::pi * at / last));
}

}  // namespace elastic::engine
