#include "harness/store/paired.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include "base/error.h"

namespace elastic::harness {
namespace {

constexpr std::size_t kExactFlips = 16;  // clusters up to which all 2^n signs are tried
constexpr int kFlips = 9999;
constexpr std::uint64_t kFlipSeed = 20260118;
constexpr double kVisible = 1.959963984540054 + 0.8416212335729143;  // quantiles at .975 and .80
constexpr double kSlack = 1e-12;  // of sums that differ by rounding alone

bool is_binary(const Pair& p) { return (p.a == 0 || p.a == 1) && (p.b == 0 || p.b == 1); }

// Sums of b - a by cluster, in order of first appearance.
std::vector<double> cluster_sums(std::span<const Pair> pairs) {
  std::vector<double> sums;
  std::map<std::string_view, std::size_t> known;
  for (const Pair& pair : pairs) {
    std::size_t at = sums.size();
    if (!pair.cluster.empty()) at = known.try_emplace(pair.cluster, at).first->second;
    if (at == sums.size()) sums.push_back(0);
    sums[at] += pair.b - pair.a;
  }
  return sums;
}

double standard_error(const std::vector<double>& sums, double n) {
  const auto k = static_cast<double>(sums.size());
  const double mean = std::accumulate(sums.begin(), sums.end(), 0.0) / k;
  double squares = 0;
  for (const double sum : sums) squares += (sum - mean) * (sum - mean);
  return std::sqrt(squares / (k - 1) * k) / n;
}

double exact_flip_p(std::span<const double> differences, double observed) {
  const std::uint64_t all = std::uint64_t{1} << differences.size();
  std::uint64_t extreme = 0;
  for (std::uint64_t signs = 0; signs < all; ++signs) {
    double sum = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      sum += (signs >> i & 1) != 0 ? -differences[i] : differences[i];
    }
    extreme += std::abs(sum) >= observed - kSlack;
  }
  return static_cast<double>(extreme) / static_cast<double>(all);
}

}  // namespace

double mcnemar_p(std::int64_t worse, std::int64_t better) {
  const std::int64_t n = worse + better;
  if (n == 0) return 1;
  // Binomial(n, 1/2) up to the smaller count, in logarithms: n may be thousands.
  double tail = 0;
  for (std::int64_t k = 0; k <= std::min(worse, better); ++k) {
    const auto kd = static_cast<double>(k), nd = static_cast<double>(n);
    tail += std::exp(std::lgamma(nd + 1) - std::lgamma(kd + 1) - std::lgamma(nd - kd + 1) -
                     nd * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

double sign_flip_p(std::span<const double> differences) {
  std::vector<double> moving;  // zeros change no sum
  std::copy_if(differences.begin(), differences.end(), std::back_inserter(moving),
               [](double d) { return d != 0; });
  if (moving.empty()) return 1;
  const double observed = std::abs(std::accumulate(moving.begin(), moving.end(), 0.0));
  if (moving.size() <= kExactFlips) return exact_flip_p(moving, observed);
  std::mt19937_64 random(kFlipSeed);
  int extreme = 0;
  for (int i = 0; i < kFlips; ++i) {
    double sum = 0;
    std::uint64_t bits = 0;
    for (std::size_t k = 0; k < moving.size(); ++k, bits >>= 1) {
      if (k % 64 == 0) bits = random();
      sum += (bits & 1) != 0 ? -moving[k] : moving[k];
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
  std::vector<Observation> differences;
  for (const Pair& pair : pairs) {
    result.mean_a += pair.a / n;
    result.mean_b += pair.b / n;
    worse += pair.b < pair.a;
    better += pair.b > pair.a;
    differences.push_back({pair.b - pair.a, pair.cluster});
  }
  const std::vector<double> sums = cluster_sums(pairs);
  result.clusters = static_cast<std::int64_t>(sums.size());
  result.difference = std::accumulate(sums.begin(), sums.end(), 0.0) / n;
  result.interval = bootstrap_interval(differences);
  if (sums.size() == pairs.size() && std::all_of(pairs.begin(), pairs.end(), is_binary)) {
    result.test = "exact McNemar";
    result.p_value = mcnemar_p(worse, better);
  } else {
    result.test = "sign-flip";
    result.p_value = sign_flip_p(sums);
  }
  if (sums.size() > 1) result.smallest_visible = kVisible * standard_error(sums, n);
  return result;
}

void adjust_p_values(std::span<PairedResult> results) {
  std::vector<std::size_t> order(results.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t x, std::size_t y) { return results[x].p_value < results[y].p_value; });
  const auto m = static_cast<double>(results.size());
  double smallest = 1;
  for (std::size_t rank = order.size(); rank-- > 0;) {
    PairedResult& result = results[order[rank]];
    smallest = std::min(smallest, result.p_value * m / static_cast<double>(rank + 1));
    result.adjusted_p = smallest;
  }
}

}  // namespace elastic::harness
