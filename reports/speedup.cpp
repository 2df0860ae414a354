#include "reports/speedup.h"

#include <map>

namespace elastic::reports {
namespace {

std::optional<harness::Estimate> cell_speedup(const harness::RunData& run,
                                              const harness::Cell& dense,
                                              const harness::Cell& cell) {
  std::map<std::int64_t, double> dense_ms;  // by sample index
  for (const std::size_t i : dense.samples) {
    const harness::SampleRecord& sample = run.samples[i];
    if (sample.prefill_ms) dense_ms[sample.index] = *sample.prefill_ms;
  }
  std::vector<harness::Observation> ratios;
  double sum = 0;
  for (const std::size_t i : cell.samples) {
    const harness::SampleRecord& sample = run.samples[i];
    const auto pair = dense_ms.find(sample.index);
    if (pair == dense_ms.end() || !sample.prefill_ms || *sample.prefill_ms <= 0) continue;
    ratios.push_back({pair->second / *sample.prefill_ms, {}});
    sum += ratios.back().value;
  }
  if (ratios.empty()) return std::nullopt;
  const auto n = static_cast<std::int64_t>(ratios.size());
  return harness::Estimate{sum / static_cast<double>(n), harness::bootstrap_interval(ratios), n,
                           "mean of per-sample ratios, bootstrap interval"};
}

}  // namespace

std::optional<harness::Estimate> prefill_speedup(const ReportInput::Run& run,
                                                 const harness::Cell& cell) {
  const std::string dense = harness::dense_mode(run.summary.modes);
  if (dense.empty() || !cell.score) return std::nullopt;
  std::map<std::int64_t, std::vector<harness::Estimate>> by_length;
  for (const harness::Cell& part : run.summary.cells) {
    const bool inside = part.task == cell.task || harness::suite_of(part.task) == cell.task;
    if (!inside || part.model != cell.model || part.mode != cell.mode) continue;
    if (cell.length != 0 && part.length != cell.length) continue;
    const harness::Cell* base =
        harness::find_cell(run.summary.cells, cell.model, dense, part.task, part.length);
    if (base == nullptr) continue;
    if (const auto estimate = cell_speedup(run.data, *base, part)) {
      by_length[part.length].push_back(*estimate);
    }
  }
  std::vector<harness::Estimate> lengths;
  for (const auto& [length, parts] : by_length) {
    lengths.push_back(*harness::mean_of_estimates(parts, "tasks"));
  }
  auto estimate = harness::mean_of_estimates(lengths, "lengths");
  if (estimate && cell.mode == dense) {
    estimate->value = 1;
    estimate->interval.reset();
    estimate->rule = "the dense baseline itself";
  }
  return estimate;
}

}  // namespace elastic::reports
