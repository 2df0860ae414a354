#pragma once

// Whether a run's times are the latencies that they are shown as, by what the run recorded of how
// they were taken (docs/measurement.md, "Times of a run").

#include <string>
#include <vector>

#include "reports/document.h"
#include "reports/input.h"

namespace elastic::reports {

/// Why they are not; empty where they are. A run without times has no verdict, so ask has_times().
std::vector<std::string> timing_faults(const ReportInput::Run& run);
bool has_times(const ReportInput::Run& run);

/// One row a run with times: verdict, reasons, kernel, batch, load, GPU, how sure the medians are.
Table timing_table(const ReportInput& input);

/// "Timing VALID.", or why not, run by run.
std::string timing_verdicts(const ReportInput& input);

}  // namespace elastic::reports
