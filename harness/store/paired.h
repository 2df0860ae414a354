#pragma once

// Two systems on the same samples: is the difference of their means more than chance? All of it is
// deterministic (fixed seeds).
//
//   PairedResult r = compare_pairs(pairs);      // b - a
//   adjust_p_values(results);                   // Benjamini-Hochberg over a table
//
//   interval   percentile bootstrap of the mean difference, clusters resampled whole (2000 times)
//   p value    0/1 scores without shared clusters: exact McNemar test; else sign-flip test of the
//              cluster sums, exact up to 16 clusters, 9999 random flips beyond
//   smallest visible difference   (1.96 + 0.84) standard errors: seen with a power of 80 %

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "harness/store/statistics.h"

namespace elastic::harness {

struct Pair {
  double a = 0, b = 0;
  std::string_view cluster;  // source document; empty stands alone
};

struct PairedResult {
  std::int64_t n = 0, clusters = 0;
  double mean_a = 0, mean_b = 0;
  double difference = 0;             // mean of b - a
  std::optional<Interval> interval;  // absent under two clusters
  double p_value = 1;
  double adjusted_p = 1;  // set by adjust_p_values()
  std::string test;       // "exact McNemar", "sign-flip"
  std::optional<double> smallest_visible;
};

/// `pairs` must not be empty.
PairedResult compare_pairs(std::span<const Pair> pairs);

/// Two-sided exact McNemar test: `worse` samples right only in a, `better` only in b.
double mcnemar_p(std::int64_t worse, std::int64_t better);

/// Two-sided sign-flip test that the mean of `differences` is zero.
double sign_flip_p(std::span<const double> differences);

/// Benjamini-Hochberg: adjusted_p of every result from all p values.
void adjust_p_values(std::span<PairedResult> results);

}  // namespace elastic::harness
