#pragma once

// Means with intervals, as every table of a report shows them. Deterministic: the bootstrap draws
// from a fixed seed, so the same samples give the same interval on every machine.
//
//   const auto cell = estimate_mean(values);               // Wilson or clustered bootstrap
//   const auto suite = mean_of_estimates(cells, "tasks");  // unweighted, intervals combined
//
// All intervals are two-sided at 95 %. Values keep the caller's unit.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::runs {

inline constexpr double kNormal975 = 1.959963984540054;  // standard normal quantile at 0.975

/// Independent observations below which resampling them is far too narrow.
inline constexpr std::size_t kFewestForBootstrap = 10;

struct Interval {
  double low = 0;
  double high = 0;
};

/// A number, how sure it is, and the rule that made it.
struct Estimate {
  double value = 0;
  std::optional<Interval> interval;  // absent where nothing can be said
  std::int64_t n = 0;                // observations behind the value
  std::string rule;                  // "mean of samples, Wilson interval"
};

/// One observation. Observations with the same non-empty cluster (source document) are resampled
/// together; an empty cluster stands alone.
struct Observation {
  double value = 0;
  std::string_view cluster;
};

/// Wilson score interval of a share, in [0, 1]. `n` > 0; successes may be fractional where they are
/// a mean over clusters.
Interval wilson_interval(double successes, double n);

/// Percentile bootstrap of the mean over clusters (2000 resamples). Nothing for under two clusters.
std::optional<Interval> bootstrap_interval(std::span<const Observation> observations);

/// Mean of scores in [0, 1] in the order given, plain sum. The interval is Wilson's where every
/// score is 0 or 1 and no two share a cluster, else the clustered bootstrap. Under ten clusters,
/// and where all scores of a clustered 0/1 cell agree, it is Wilson's with one observation per
/// cluster: right for 0/1 scores and too wide, never too narrow, for partial ones (no score in [0,
/// 1] varies more about its mean). Nothing for an empty list.
std::optional<Estimate> estimate_mean(std::span<const Observation> observations);

/// Unweighted mean of independent estimates. The interval combines theirs by the method of variance
/// estimates recovery (Zou and Donner 2008): value -/+ sqrt(sum (d_i / k)^2), d_i the distance from
/// part i to its own bound; it keeps their asymmetry and needs no normality of the parts. Absent
/// where a part has none. Nothing for an empty list.
std::optional<Estimate> mean_of_estimates(std::span<const Estimate> parts, std::string_view of);

/// P(X <= k) of X ~ Binomial(n, 1/2).
double fair_coin_tail(std::int64_t k, std::int64_t n);

/// Middle of the values, the mean of two where their number is even. `values` is not empty.
double median(std::vector<double> values);

/// The innermost order statistics between which the median of what `values` are drawn from lies
/// with at least 95 %, whatever its distribution. Nothing under six values: no two reach that.
std::optional<Interval> median_interval(std::vector<double> values);

std::optional<double> mean(std::span<const double> values);

/// Standard deviation of a sample, 0 for fewer than two values.
double deviation(std::span<const double> values);

/// Quantile q in [0, 1] by linear interpolation between order statistics.
/// Nothing for an empty list.
std::optional<double> quantile(std::vector<double> values, double q);

/// Spearman's rank correlation of two lists of one length; equal values share their mean rank.
/// Nothing where all values of a list are equal.
std::optional<double> spearman(std::span<const double> x, std::span<const double> y);

}  // namespace elastic::runs
