#pragma once

// Two systems on the same samples: is the difference of their means more than chance? All of it is
// deterministic (fixed seeds).
//
//   PairedResult r = compare_pairs(pairs);      // b - a
//   adjust_p_values(results);                   // Benjamini-Hochberg over a table
//
//   interval   of the mean difference, 95 %. 0/1 scores without shared clusters, and whatever has
//              too little variation to resample: the shares won and lost, each with Wilson's
//              interval over clusters, their difference by square-and-add (MOVER, Zou and Donner
//              2008) with the correlation of two outcomes that exclude each other. Else percentile
//              bootstrap, clusters resampled whole (2000 times)
//   p value    0/1 scores without shared clusters: exact McNemar test; else sign-flip test of the
//              cluster sums, exact up to 16 clusters, 9999 random flips beyond
//   smallest visible difference   (1.96 + 0.84) standard errors: seen with a power of 80 %. The
//              standard error is that of the interval, its width / (2 * 1.96), which n samples that
//              all agree do not bring to zero

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runs/statistics.h"

namespace elastic::runs {

struct Pair {
  double a = 0, b = 0;       // scores in [0, 1]
  std::string_view cluster;  // source document; empty stands alone
};

struct PairedResult {
  std::int64_t n = 0, clusters = 0;
  double mean_a = 0, mean_b = 0;
  double difference = 0;  // mean of b - a
  Interval interval;
  std::string interval_rule;  // "Wilson, square-and-add", "bootstrap"
  double p_value = 1;
  double adjusted_p = 1;  // set by adjust_p_values()
  std::string test;       // "exact McNemar", "sign-flip"
  double smallest_visible = 0;
};

/// `pairs` must not be empty.
PairedResult compare_pairs(std::span<const Pair> pairs);

/// The pairs of one task at one length.
struct PairedCell {
  std::int64_t length = 0;  // 0 where the task has none
  std::vector<Pair> pairs;
  PairedResult result;  // compare_pairs(pairs)
};

/// A suite: unweighted mean of the tasks at each length, then of the lengths, as its score is made.
/// Intervals combine by mean_of_estimates(); the test is the sign-flip test of all cluster sums
/// with the weights of that mean. No cell may be empty.
PairedResult compare_suite(std::span<const PairedCell> cells);

/// Two-sided exact McNemar test: `worse` samples right only in a, `better` only in b.
double mcnemar_p(std::int64_t worse, std::int64_t better);

/// Two-sided sign-flip test that the mean of `differences` is zero.
double sign_flip_p(std::span<const double> differences);

/// Benjamini-Hochberg: adjusted_p of every result from all p values.
void adjust_p_values(std::span<PairedResult> results);

}  // namespace elastic::runs
