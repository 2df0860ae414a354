#include "runs/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <utility>

#include "base/error.h"

namespace elastic::runs {
namespace {

constexpr int kResamples = 2000;
constexpr std::uint64_t kBootstrapSeed = 20260117;

struct Cluster {
  double sum = 0;
  double count = 0;
};

std::vector<Cluster> clusters_of(std::span<const Observation> observations) {
  std::vector<Cluster> clusters;
  std::map<std::string_view, std::size_t> known;
  for (const Observation& observation : observations) {
    std::size_t at = clusters.size();
    if (!observation.cluster.empty()) at = known.try_emplace(observation.cluster, at).first->second;
    if (at == clusters.size()) clusters.emplace_back();
    clusters[at].sum += observation.value;
    clusters[at].count += 1;
  }
  return clusters;
}

// Uniform in [0, n) by multiply-shift: the same on every platform, unlike
// std::uniform_int_distribution; the bias of 2^-32 is far below the resampling noise.
std::size_t draw(std::mt19937_64& random, std::size_t n) {
  return static_cast<std::size_t>(((random() >> 32) * n) >> 32);
}

// Ranks less their mean; of equal values the mean of theirs.
std::vector<double> centred_ranks(std::span<const double> values) {
  std::vector<double> ranks;
  for (const double value : values) {
    double below = 0, equal = 0;
    for (const double other : values) {
      below += other < value ? 1 : 0;
      equal += other == value ? 1 : 0;
    }
    ranks.push_back(below + equal / 2 - static_cast<double>(values.size()) / 2);
  }
  return ranks;
}

}  // namespace

Interval wilson_interval(double successes, double n) {
  check(n > 0, "an interval needs observations");
  const double share = successes / n;
  const double z2 = kNormal975 * kNormal975;
  const double centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const double half =
      kNormal975 * std::sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n);
  // At 0 and 1 the bound is the share itself; rounding must not put it beside.
  return {share == 0 ? 0.0 : std::max(0.0, centre - half),
          share == 1 ? 1.0 : std::min(1.0, centre + half)};
}

std::optional<Interval> bootstrap_interval(std::span<const Observation> observations) {
  const std::vector<Cluster> clusters = clusters_of(observations);
  if (clusters.size() < 2) return std::nullopt;
  std::mt19937_64 random(kBootstrapSeed);
  std::vector<double> means(kResamples);
  for (double& value : means) {
    Cluster total;
    for (std::size_t i = 0; i < clusters.size(); ++i) {
      const Cluster& drawn = clusters[draw(random, clusters.size())];
      total.sum += drawn.sum;
      total.count += drawn.count;
    }
    value = total.sum / total.count;
  }
  return Interval{*quantile(means, 0.025), *quantile(means, 0.975)};
}

std::optional<Estimate> estimate_mean(std::span<const Observation> observations) {
  if (observations.empty()) return std::nullopt;
  double sum = 0;
  bool binary = true;
  for (const Observation& observation : observations) {
    sum += observation.value;
    binary = binary && (observation.value == 0 || observation.value == 1);
  }
  const auto n = static_cast<double>(observations.size());
  Estimate estimate{sum / n, std::nullopt, static_cast<std::int64_t>(observations.size()), ""};
  const std::size_t clusters = clusters_of(observations).size();
  const auto independent = static_cast<double>(clusters);
  const bool clustered = clusters < observations.size();
  const std::string unit = clustered ? fmt::format(" over {} documents", clusters) : "";
  if (clusters < kFewestForBootstrap || (binary && (!clustered || sum == 0 || sum == n))) {
    estimate.interval = wilson_interval(estimate.value * independent, independent);
    estimate.rule = "mean of samples, Wilson interval" + unit;
  } else {
    estimate.interval = bootstrap_interval(observations);
    estimate.rule = "mean of samples, bootstrap interval" + unit;
  }
  return estimate;
}

std::optional<Estimate> mean_of_estimates(std::span<const Estimate> parts, std::string_view of) {
  if (parts.empty()) return std::nullopt;
  if (parts.size() == 1) return parts[0];
  const auto k = static_cast<double>(parts.size());
  Estimate estimate;
  double below = 0, above = 0;
  bool known = true;
  for (const Estimate& part : parts) {
    estimate.value += part.value;
    estimate.n += part.n;
    known = known && part.interval.has_value();
    if (!known) continue;
    below += std::pow((part.value - part.interval->low) / k, 2);
    above += std::pow((part.interval->high - part.value) / k, 2);
  }
  estimate.value /= k;
  if (known) {
    estimate.interval =
        Interval{estimate.value - std::sqrt(below), estimate.value + std::sqrt(above)};
  }
  estimate.rule = fmt::format("unweighted mean of {} {}", parts.size(), of);
  return estimate;
}

double fair_coin_tail(std::int64_t k, std::int64_t n) {
  // In logarithms: n may be thousands.
  const auto nd = static_cast<double>(n);
  double tail = 0;
  for (std::int64_t i = 0; i <= k; ++i) {
    const auto id = static_cast<double>(i);
    tail += std::exp(std::lgamma(nd + 1) - std::lgamma(id + 1) - std::lgamma(nd - id + 1) -
                     nd * std::log(2.0));
  }
  return std::min(1.0, tail);
}

double median(std::vector<double> values) { return quantile(std::move(values), 0.5).value(); }

std::optional<Interval> median_interval(std::vector<double> values) {
  constexpr double kOutside = 0.025;  // on each side
  const auto n = static_cast<std::int64_t>(values.size());
  std::int64_t outside = 0;  // values on each side
  while (fair_coin_tail(outside, n) <= kOutside) ++outside;
  if (outside == 0) return std::nullopt;
  std::sort(values.begin(), values.end());
  return Interval{values[static_cast<std::size_t>(outside - 1)],
                  values[static_cast<std::size_t>(n - outside)]};
}

std::optional<double> mean(std::span<const double> values) {
  if (values.empty()) return std::nullopt;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double middle = *mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - middle) * (value - middle);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

std::optional<double> quantile(std::vector<double> values, double q) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const double at = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

std::optional<double> spearman(std::span<const double> x, std::span<const double> y) {
  const std::vector<double> a = centred_ranks(x), b = centred_ranks(y);
  const auto dot = [](const std::vector<double>& u, const std::vector<double>& v) {
    return std::inner_product(u.begin(), u.end(), v.begin(), 0.0);
  };
  const double scale = std::sqrt(dot(a, a) * dot(b, b));
  if (scale == 0) return std::nullopt;
  return dot(a, b) / scale;
}

}  // namespace elastic::runs
