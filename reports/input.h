#pragma once

// Runs made ready for reports: summarised, given distinct names, and compared with each other.

#include <map>
#include <string>
#include <vector>

#include "reports/differences.h"
#include "runs/record.h"
#include "runs/summary.h"

namespace elastic::reports {

/// Runs with their summaries and differences to the dense mode, and what must be said about showing
/// them together.
struct ReportInput {
  struct Run {
    runs::RunData data;
    runs::Summary summary;
    std::string name;  // folder name, made unique; shown where there are several runs
    Differences differences;
  };
  std::vector<Run> runs;
  std::map<std::string, std::string> suite_titles;    // "ruler" -> "RULER"
  std::map<std::string, std::string> mode_summaries;  // "ssa" -> what it computes; may be empty
  std::vector<std::string> warnings;  // unlike data or profiles, torn lines, samples missing
};

/// Throws kInvalidArgument for no runs and for the same folder twice. Runs whose data ids or
/// profiles differ are shown together only under a warning that names what differs.
/// `suite_titles`: what titles call the suites; the name itself for one that is not there.
ReportInput make_input(std::vector<runs::RunData> runs,
                       std::map<std::string, std::string> suite_titles);

/// Name of the folder, made unique with its parent's name where two agree.
std::vector<std::string> run_names(const std::vector<std::string>& folders);

}  // namespace elastic::reports
