#pragma once

// Prefill speed-up over dense attention of the same run: one definition for every table and figure.
//
//   at a length    median over the samples of dense prefill time / this mode's, paired by task and
//                  index, with the interval of median_interval(): no assumption on how times vary,
//                  and one slow sample moves neither
//   over lengths   geometric mean of the lengths' numbers, each length once; the intervals combine
//                  on the logarithms like those of scores
//
// Two runs of one thing give 1, and the inverse of a speed-up is the slow-down.

#include <optional>
#include <string>
#include <vector>

#include "reports/input.h"

namespace elastic::reports {

/// Of the samples of one model and mode, by position in run.data.samples. Nothing where the run has
/// no dense mode or no pair has times. The dense mode itself is exactly 1.
std::optional<runs::Estimate> prefill_speedup(const ReportInput::Run& run,
                                              const std::vector<std::size_t>& samples);

}  // namespace elastic::reports
