#pragma once

// Prefill speed-up over dense attention of the same run.
//
// Per sample: dense prefill time / this mode's, paired by task, length and index; then the mean
// over the samples of a cell and the aggregation of the scores (tasks, then lengths). Interval:
// bootstrap over samples, combined like those of scores.

#include <optional>
#include <string_view>

#include "reports/report.h"

namespace elastic::reports {

/// Nothing where the run has no dense mode or the pair has no times. The dense mode itself is
/// exactly 1. `task` may be a suite; `length` 0 = all its lengths.
std::optional<harness::Estimate> prefill_speedup(const ReportInput::Run& run,
                                                 const harness::Cell& cell);

}  // namespace elastic::reports
