#include "tasks/longbench/aggregate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/json.h"
#include "base/python_number.h"
#include "tasks/longbench/sets.h"

namespace elastic::tasks {
namespace {

constexpr double kShort = 4000, kMedium = 8000;  // words or characters

double plain_sum(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double mean(std::span<const double> values) {
  return plain_sum(values) / static_cast<double>(values.size());
}

std::int64_t count(const LongbenchSetScores& set) {
  return static_cast<std::int64_t>(set.scores.size());
}

double percent_mean(const LongbenchSetScores& set) {
  return 100 * plain_sum(set.scores) / static_cast<double>(set.scores.size());
}

struct Category {
  std::string_view name;
  std::vector<double> set_scores;  // unrounded, 0..100
  std::int64_t n = 0;
};

std::vector<Category> categories(std::span<const LongbenchSetScores> sets) {
  std::vector<Category> all;
  for (const LongbenchSet& known : longbench_sets()) {
    for (const LongbenchSetScores& set : sets) {
      if (set.set != known.name || set.scores.empty()) continue;
      if (all.empty() || all.back().name != known.category) all.push_back({known.category, {}, 0});
      all.back().set_scores.push_back(percent_mean(set));
      all.back().n += count(set);
    }
  }
  return all;
}

std::int64_t all_samples(std::span<const LongbenchSetScores> sets) {
  std::int64_t n = 0;
  for (const LongbenchSetScores& set : sets) n += count(set);
  return n;
}

void add_categories(std::span<const LongbenchSetScores> sets, std::string_view rule,
                    ProfileResult& result) {
  for (const Category& category : categories(sets)) {
    result.numbers.push_back({"category", std::string(category.name), "", mean(category.set_scores),
                              category.n, std::string(rule)});
  }
}

ProfileResult official(std::span<const LongbenchSetScores> sets) {
  ProfileResult result{"longbench-official", {}};
  for (const LongbenchSetScores& set : sets) {
    result.numbers.push_back({"set", set.set, "", longbench_set_score(set.scores), count(set),
                              "100 * sum / n, rounded to two decimals as Python does"});
  }
  add_categories(sets, "ours: unweighted mean of the category's unrounded set scores", result);
  std::vector<double> of_sets, of_categories;
  for (const Category& category : categories(sets)) {
    of_categories.push_back(mean(category.set_scores));
    of_sets.insert(of_sets.end(), category.set_scores.begin(), category.set_scores.end());
  }
  const std::int64_t n = all_samples(sets);
  result.numbers.push_back({"overall", "", "", mean(of_sets), n,
                            fmt::format("ours: unweighted mean of {} sets", of_sets.size())});
  result.numbers.push_back(
      {"overall", "", "", mean(of_categories), n,
       fmt::format("ours: unweighted mean of {} category means", of_categories.size())});
  return result;
}

ProfileResult official_e(std::span<const LongbenchSetScores> sets) {
  ProfileResult result{"longbench-e-official", {}};
  for (const LongbenchSetScores& set : sets) {
    const BucketScores buckets = longbench_e_score(set);
    for (std::size_t b = 0; b < kLengthBuckets.size(); ++b) {
      result.numbers.push_back({"set", set.set, std::string(kLengthBuckets[b]), buckets.score[b],
                                buckets.n[b], "numpy mean of the bucket, numpy rounding"});
    }
  }
  return result;
}

ProfileResult elastic_paper(std::span<const LongbenchSetScores> sets) {
  ProfileResult result{"elastic-paper", {}};
  double sum = 0;
  for (const LongbenchSetScores& set : sets) {
    sum += plain_sum(set.scores);
    result.numbers.push_back(
        {"set", set.set, "", percent_mean(set), count(set), "mean of samples"});
  }
  add_categories(sets, "unweighted mean of the category's sets", result);
  const std::int64_t n = all_samples(sets);
  result.numbers.push_back({"overall", "", "", 100 * sum / static_cast<double>(n), n,
                            fmt::format("mean over all samples of {} sets", sets.size())});
  return result;
}

ProfileResult loom(std::span<const LongbenchSetScores> sets) {
  ProfileResult result{"loom", {}};
  std::vector<double> scores;
  std::vector<std::int64_t> counts;
  for (const LongbenchSetScores& set : sets) {
    scores.push_back(longbench_set_score(set.scores));
    counts.push_back(count(set));
    result.numbers.push_back({"set", set.set, "", scores.back(), counts.back(),
                              "100 * sum / n, rounded to two decimals as Python does"});
  }
  result.numbers.push_back({"overall", "", "", loom_overall(scores, counts), all_samples(sets),
                            "sample-weighted mean of the rounded set scores, numpy rounding"});
  return result;
}

std::string number_text(double value) { return std::isnan(value) ? "NaN" : python_float(value); }

}  // namespace

std::size_t length_bucket(double length) {
  if (length < kShort) return 0;
  return length < kMedium ? 1 : 2;
}

double longbench_set_score(std::span<const double> scores) {
  return python_round(100 * plain_sum(scores) / static_cast<double>(scores.size()), 2);
}

BucketScores longbench_e_score(const LongbenchSetScores& set) {
  std::vector<double> lengths;
  for (const std::optional<double>& length : set.lengths) {
    if (length) lengths.push_back(*length);
  }
  std::array<std::vector<double>, 3> buckets;
  for (std::size_t i = 0; i < std::min(lengths.size(), set.scores.size()); ++i) {
    buckets[length_bucket(lengths[i])].push_back(set.scores[i]);
  }
  BucketScores result;
  for (std::size_t b = 0; b < buckets.size(); ++b) {
    result.score[b] = numpy_round(100 * numpy_mean(buckets[b]), 2);
    result.n[b] = static_cast<std::int64_t>(buckets[b].size());
  }
  return result;
}

double loom_overall(std::span<const double> set_scores, std::span<const std::int64_t> counts) {
  double weighted = 0;
  std::int64_t n = 0;
  for (std::size_t i = 0; i < set_scores.size(); ++i) {
    weighted += set_scores[i] * static_cast<double>(counts[i]);
    n += counts[i];
  }
  return numpy_round(weighted / static_cast<double>(n), 2);
}

std::vector<ProfileResult> longbench_profiles(std::span<const LongbenchSetScores> sets, bool e) {
  if (sets.empty()) return {};
  if (!e) return {official(sets), loom(sets)};
  return {official_e(sets), elastic_paper(sets), loom(sets)};
}

std::string longbench_result_json(std::span<const LongbenchSetScores> sets, bool e) {
  std::string text = "{";
  for (std::size_t i = 0; i < sets.size(); ++i) {
    text += fmt::format("{}\n    {}: ", i == 0 ? "" : ",", dump_line(sets[i].set));
    if (!e) {
      text += number_text(longbench_set_score(sets[i].scores));
      continue;
    }
    const BucketScores buckets = longbench_e_score(sets[i]);
    for (std::size_t b = 0; b < kLengthBuckets.size(); ++b) {
      text += fmt::format("{}\n        \"{}\": {}", b == 0 ? "{" : ",", kLengthBuckets[b],
                          number_text(buckets.score[b]));
    }
    text += "\n    }";
  }
  return text + (sets.empty() ? "}" : "\n}");
}

}  // namespace elastic::tasks
