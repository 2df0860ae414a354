#pragma once

// Every mode of a run set against its dense one, cell by cell as the summary has them: the
// difference of the scores is paired, over the samples that both modes answered.

#include <cstdint>
#include <string>
#include <vector>

#include "runs/paired.h"
#include "runs/summary.h"

namespace elastic::reports {

/// Where a difference counts as more than chance: adjusted p below it.
inline constexpr double kSignificance = 0.05;

struct Difference {
  std::string model, mode, task, category;  // as in runs::Cell
  std::int64_t length = 0;
  runs::PairedResult result;  // this mode's score - the dense mode's, in 0..1

  bool significant() const { return result.adjusted_p < kSignificance; }
};

/// The lists of runs::Summary, and tasks over their lengths. p values are adjusted
/// (Benjamini-Hochberg) over each list.
struct Differences {
  std::vector<Difference> cells, over_lengths, by_length, overall, by_category;
};

/// Empty without a dense mode.
Differences differences_to_dense(const runs::RunData& run, const runs::Summary& summary);

/// That of the cell, or null: of the dense mode, and where no sample has both scores.
const Difference* find_difference(const std::vector<Difference>& list, const runs::Cell& cell);

}  // namespace elastic::reports
