#include "reports/pairs.h"

#include <tuple>

#include "runs/summary.h"

namespace elastic::reports {

std::vector<SamplePair> answered_by_both(const Side& a, const Side& b) {
  using Place = std::tuple<std::string_view, std::int64_t, std::int64_t>;
  const auto answered = [](const Side& side, const runs::SampleRecord& sample) {
    return sample.model == side.model && sample.mode == side.mode && runs::has_score(sample);
  };
  std::map<Place, const runs::SampleRecord*> of_a;
  for (const runs::SampleRecord& sample : a.run->samples) {
    if (answered(a, sample)) of_a[{sample.task, sample.length, sample.index}] = &sample;
  }
  std::vector<SamplePair> pairs;
  for (const runs::SampleRecord& sample : b.run->samples) {
    if (!answered(b, sample)) continue;
    const auto other = of_a.find({sample.task, sample.length, sample.index});
    if (other != of_a.end()) pairs.push_back({other->second, &sample});
  }
  return pairs;
}

PairedCells paired_cells(const Side& a, const Side& b) {
  PairedCells cells;
  for (const auto& [of_a, of_b] : answered_by_both(a, b)) {
    runs::PairedCell& cell = cells[{of_a->task, of_a->length}];
    cell.length = of_a->length;
    cell.pairs.push_back({*of_a->score, *of_b->score, runs::document_of(*of_a)});
  }
  for (auto& [key, cell] : cells) cell.result = runs::compare_pairs(cell.pairs);
  return cells;
}

std::vector<runs::PairedCell> of_suite(const PairedCells& cells, std::string_view suite) {
  std::vector<runs::PairedCell> out;
  for (const auto& [key, cell] : cells) {
    if (runs::suite_of(key.task) == suite) out.push_back(cell);
  }
  return out;
}

runs::PairedResult compare_cells(std::span<const runs::PairedCell> cells) {
  if (cells.size() > 1) return runs::compare_suite(cells);
  runs::PairedResult alone = cells.front().result;
  alone.adjusted_p = alone.p_value;
  return alone;
}

}  // namespace elastic::reports
