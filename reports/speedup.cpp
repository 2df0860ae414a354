#include "reports/speedup.h"

#include <cmath>
#include <map>
#include <string_view>
#include <tuple>

namespace elastic::reports {
namespace {

using runs::Estimate;
using runs::Interval;
using runs::SampleRecord;

// Dense prefill time over this mode's, by length.
std::map<std::int64_t, std::vector<double>> ratios_of(const ReportInput::Run& run,
                                                      const std::string& dense,
                                                      const std::vector<std::size_t>& samples) {
  using Key = std::tuple<std::string_view, std::string_view, std::int64_t, std::int64_t>;
  const auto key = [](const SampleRecord& s) { return Key(s.model, s.task, s.length, s.index); };
  std::map<Key, double> dense_ms;
  for (const SampleRecord& sample : run.data.samples) {
    if (sample.mode == dense && sample.prefill_ms) dense_ms[key(sample)] = *sample.prefill_ms;
  }
  std::map<std::int64_t, std::vector<double>> ratios;
  for (const std::size_t i : samples) {
    const SampleRecord& sample = run.data.samples[i];
    const auto pair = dense_ms.find(key(sample));
    if (pair == dense_ms.end() || pair->second <= 0 || sample.prefill_ms.value_or(0) <= 0) continue;
    ratios[sample.length].push_back(pair->second / *sample.prefill_ms);
  }
  return ratios;
}

Estimate transformed(Estimate estimate, double (*function)(double)) {
  estimate.value = function(estimate.value);
  if (estimate.interval) {
    estimate.interval =
        Interval{function(estimate.interval->low), function(estimate.interval->high)};
  }
  return estimate;
}

}  // namespace

std::optional<Estimate> prefill_speedup(const ReportInput::Run& run,
                                        const std::vector<std::size_t>& samples) {
  const std::string dense = runs::dense_mode(run.summary.modes);
  if (dense.empty() || samples.empty()) return std::nullopt;
  std::vector<Estimate> lengths;
  for (const auto& [length, ratios] : ratios_of(run, dense, samples)) {
    lengths.push_back({runs::median(ratios), runs::median_interval(ratios),
                       static_cast<std::int64_t>(ratios.size()),
                       "median of per-sample ratios, order-statistic interval"});
  }
  if (lengths.empty()) return std::nullopt;
  if (run.data.samples[samples.front()].mode == dense) {
    return Estimate{1, std::nullopt, lengths.front().n, "the dense baseline itself"};
  }
  if (lengths.size() == 1) return lengths.front();
  for (Estimate& length : lengths) length = transformed(std::move(length), std::log);
  Estimate mean = transformed(*runs::mean_of_estimates(lengths, "lengths"), std::exp);
  mean.rule = "geometric mean of " + std::to_string(lengths.size()) + " lengths";
  return mean;
}

}  // namespace elastic::reports
