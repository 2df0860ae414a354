#pragma once

// The samples of a run that one number of the paper is set beside, and what they are that the
// paper's are not.
//
//   const PaperSelection selection = select_samples(run, "fa-ssa", column);

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reports/paper_columns.h"
#include "runs/record.h"

namespace elastic::reports {

struct PaperPart {
  std::int64_t length = 0;
  std::string task;
  std::vector<std::size_t> samples;  // positions in RunData::samples
};

struct PaperSelection {
  std::vector<PaperPart> parts;        // by task, then length
  std::vector<std::string> obstacles;  // each once

  std::vector<std::size_t> all() const;
};

/// A set of LongBench stands in for that of LongBench-E where the run has no other.
PaperSelection select_samples(const runs::RunData& run, std::string_view mode,
                              const PaperColumn& column);

}  // namespace elastic::reports
