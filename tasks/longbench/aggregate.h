#pragma once

// From sample scores to LongBench's numbers. Every rule has a name that is stored with its result:
//
//   longbench-official     a set: round(100 * sum / n, 2) as Python rounds
//   longbench-e-official   a set in three length buckets (below 4000, below 8000, the rest) with
//                          numpy's mean and rounding; nothing ("NaN") where a bucket is empty
//   elastic-paper          LongBench-E: categories are plain means of their sets, the overall is
//                          the mean over all samples (arXiv 2601.17367)
//   loom                   a set as in longbench-official whatever its length, the overall is the
//                          sample-weighted mean of the rounded set scores
//
//   for (const ProfileResult& p : longbench_profiles(sets, true)) ...
//
// The official package has no average over sets; the ones given here beside it are labelled ours.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::tasks {

inline constexpr std::array<std::string_view, 3> kLengthBuckets = {"0-4k", "4-8k", "8k+"};

/// Index into kLengthBuckets.
std::size_t length_bucket(double length);

struct LongbenchSetScores {
  std::string set;
  std::vector<double> scores;                  // 0..1, in file order
  std::vector<std::optional<double>> lengths;  // of the same samples
};

/// 0..100. `scores` must not be empty.
double longbench_set_score(std::span<const double> scores);

struct BucketScores {
  std::array<double, 3> score{};  // 0..100, NaN where empty
  std::array<std::int64_t, 3> n{};
};

/// The official pairing: lengths are collected from the samples that have one and paired with the
/// scores from the first on; scores beyond them are left out.
BucketScores longbench_e_score(const LongbenchSetScores& set);

/// The sample-weighted mean of rounded set scores, rounded once more as numpy does.
double loom_overall(std::span<const double> set_scores, std::span<const std::int64_t> counts);

struct ProfileNumber {
  std::string level;   // "set", "category", "overall"
  std::string name;    // of the set or category; "" for the overall
  std::string bucket;  // of the length; "" for all
  double value = 0;    // 0..100; NaN where there is nothing to average
  std::int64_t n = 0;
  std::string rule;
};

struct ProfileResult {
  std::string profile;
  std::vector<ProfileNumber> numbers;
};

/// Every profile that fits the sets, the official one first. `e`: they are of LongBench-E.
std::vector<ProfileResult> longbench_profiles(std::span<const LongbenchSetScores> sets, bool e);

/// The official result.json: a number per set, or for LongBench-E one per bucket.
std::string longbench_result_json(std::span<const LongbenchSetScores> sets, bool e);

}  // namespace elastic::tasks
