#include "runs/paired.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include "base/error.h"

namespace elastic::runs {
namespace {

constexpr std::size_t kExactFlips = 16;  // clusters up to which all 2^n signs are tried
constexpr int kFlips = 9999;
constexpr std::uint64_t kFlipSeed = 20260118;
constexpr double kPower80 = 0.8416212335729143;  // standard normal quantile at 0.80
constexpr double kSlack = 1e-12;                 // of sums that differ by rounding alone

bool is_binary(const Pair& p) { return (p.a == 0 || p.a == 1) && (p.b == 0 || p.b == 1); }

struct ClusterSum {
  double sum = 0;  // of b - a
  double count = 0;
};

// In order of first appearance.
std::vector<ClusterSum> cluster_sums(std::span<const Pair> pairs) {
  std::vector<ClusterSum> sums;
  std::map<std::string_view, std::size_t> known;
  for (const Pair& pair : pairs) {
    std::size_t at = sums.size();
    if (!pair.cluster.empty()) at = known.try_emplace(pair.cluster, at).first->second;
    if (at == sums.size()) sums.emplace_back();
    sums[at].sum += pair.b - pair.a;
    sums[at].count += 1;
  }
  return sums;
}

// Resampling knows no other differences than those that are there: it needs enough clusters off the
// most frequent difference, which most often is none at all.
bool varies_enough(const std::vector<ClusterSum>& sums) {
  std::map<std::int64_t, std::size_t> frequency;  // of a mean difference in units of 1e-9
  std::size_t most = 0;
  for (const ClusterSum& cluster : sums) {
    most = std::max(most, ++frequency[std::llround(1e9 * cluster.sum / cluster.count)]);
  }
  return sums.size() - most >= kFewestForBootstrap;
}

// Of a share won minus a share lost, each of `n` clusters. Both are at most what 0/1 outcomes of
// the same mean vary, so for partial scores the interval is too wide, never too narrow.
Interval share_difference(double won, double lost, double n) {
  const Interval w = wilson_interval(won * n, n), l = wilson_interval(lost * n, n);
  // No sample is won and lost at once.
  const double correlation =
      won > 0 && lost > 0 ? -std::sqrt(won * lost / ((1 - won) * (1 - lost))) : 0;
  const auto add = [correlation](double x, double y) {
    return std::sqrt(x * x - 2 * correlation * x * y + y * y);
  };
  const double difference = won - lost;
  return {std::max(-1.0, difference - add(won - w.low, l.high - lost)),
          std::min(1.0, difference + add(w.high - won, lost - l.low))};
}

double visible_of(const Interval& interval) {
  const double standard_error = (interval.high - interval.low) / (2 * kNormal975);
  return (kNormal975 + kPower80) * standard_error;
}

// The share of all signs of `rest` with which its sum beside `sum` is at least `bound` from zero.
double share_of_flips(std::span<const double> rest, double sum, double bound) {
  if (rest.empty()) return std::abs(sum) >= bound ? 1 : 0;
  const auto tail = rest.subspan(1);
  return (share_of_flips(tail, sum + rest[0], bound) + share_of_flips(tail, sum - rest[0], bound)) /
         2;
}

}  // namespace

double mcnemar_p(std::int64_t worse, std::int64_t better) {
  return std::min(1.0, 2 * fair_coin_tail(std::min(worse, better), worse + better));
}

double sign_flip_p(std::span<const double> differences) {
  std::vector<double> moving;  // zeros change no sum
  std::copy_if(differences.begin(), differences.end(), std::back_inserter(moving),
               [](double d) { return d != 0; });
  if (moving.empty()) return 1;
  const double observed = std::abs(std::accumulate(moving.begin(), moving.end(), 0.0));
  if (moving.size() <= kExactFlips) return share_of_flips(moving, 0, observed - kSlack);
  std::mt19937_64 random(kFlipSeed);
  int extreme = 0;
  for (int i = 0; i < kFlips; ++i) {
    double sum = 0;
    std::uint64_t bits = 0;
    for (std::size_t k = 0; k < moving.size(); ++k, bits >>= 1) {
      if (k % 64 == 0) bits = random();
      sum += bits & 1 ? -moving[k] : moving[k];
    }
    extreme += std::abs(sum) >= observed - kSlack;
  }
  return (1.0 + extreme) / (1.0 + kFlips);
}

PairedResult compare_pairs(std::span<const Pair> pairs) {
  check(!pairs.empty(), "a comparison needs pairs");
  PairedResult result{.n = static_cast<std::int64_t>(pairs.size())};
  const auto n = static_cast<double>(pairs.size());
  std::int64_t worse = 0, better = 0;
  double won = 0, lost = 0;  // shares
  std::vector<Observation> differences;
  differences.reserve(pairs.size());
  for (const Pair& pair : pairs) {
    result.mean_a += pair.a / n;
    result.mean_b += pair.b / n;
    worse += pair.b < pair.a;
    better += pair.b > pair.a;
    won += std::max(0.0, pair.b - pair.a) / n;
    lost += std::max(0.0, pair.a - pair.b) / n;
    differences.push_back({pair.b - pair.a, pair.cluster});
  }
  const std::vector<ClusterSum> clusters = cluster_sums(pairs);
  result.clusters = static_cast<std::int64_t>(clusters.size());
  const bool binary =
      clusters.size() == pairs.size() && std::all_of(pairs.begin(), pairs.end(), is_binary);
  std::vector<double> sums;
  sums.reserve(clusters.size());
  for (const ClusterSum& cluster : clusters) sums.push_back(cluster.sum);
  result.difference = std::accumulate(sums.begin(), sums.end(), 0.0) / n;
  result.test = binary ? "exact McNemar" : "sign-flip";
  result.p_value = binary ? mcnemar_p(worse, better) : sign_flip_p(sums);
  const bool resample = !binary && varies_enough(clusters);
  result.interval_rule = resample ? "bootstrap" : "Wilson, square-and-add";
  result.interval = resample ? *bootstrap_interval(differences)
                             : share_difference(std::min(won, 1.0), std::min(lost, 1.0),
                                                static_cast<double>(clusters.size()));
  result.smallest_visible = visible_of(result.interval);
  return result;
}

PairedResult compare_suite(std::span<const PairedCell> cells) {
  check(!cells.empty(), "a comparison needs cells");
  std::map<std::int64_t, std::vector<const PairedCell*>> by_length;
  for (const PairedCell& cell : cells) by_length[cell.length].push_back(&cell);
  PairedResult result{.interval_rule = "of the parts, combined", .test = "sign-flip"};
  std::vector<Estimate> lengths;
  std::vector<double> sums;
  for (const auto& [length, tasks] : by_length) {
    const double weight = 1.0 / static_cast<double>(tasks.size() * by_length.size());
    std::vector<Estimate> parts;
    for (const PairedCell* cell : tasks) {
      const PairedResult& part = cell->result;
      result.n += part.n;
      result.clusters += part.clusters;
      result.mean_a += weight * part.mean_a;
      result.mean_b += weight * part.mean_b;
      parts.push_back({part.difference, part.interval, part.n, part.interval_rule});
      for (const ClusterSum& cluster : cluster_sums(cell->pairs)) {
        sums.push_back(weight * cluster.sum / static_cast<double>(part.n));
      }
    }
    lengths.push_back(*mean_of_estimates(parts, "tasks"));
  }
  const Estimate whole = *mean_of_estimates(lengths, "lengths");
  result.difference = whole.value;
  result.interval = *whole.interval;
  result.p_value = sign_flip_p(sums);
  result.adjusted_p = result.p_value;
  result.smallest_visible = visible_of(result.interval);
  return result;
}

void adjust_p_values(std::span<PairedResult> results) {
  std::vector<std::size_t> order(results.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](std::size_t i) { return results[i].p_value; });
  const auto m = static_cast<double>(results.size());
  double smallest = 1;
  for (std::size_t rank = order.size(); rank-- > 0;) {
    PairedResult& result = results[order[rank]];
    smallest = std::min(smallest, result.p_value * m / static_cast<double>(rank + 1));
    result.adjusted_p = smallest;
  }
}

}  // namespace elastic::runs
