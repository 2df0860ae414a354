#pragma once

// Which runs asked the same questions, so that their scores may be ranked against each other.
//
//   if (const auto unlike = unlike_questions(runs); !unlike.empty()) ...  // refuse, or say so and
//   keep_shared_cells(runs);

#include <string>
#include <vector>

#include "runs/record.h"

namespace elastic::reports {

/// In what the questions of the runs differ, each with the values: tasks, lengths, seeds, profiles,
/// limits, data ids. Empty: they may be ranked.
std::vector<std::string> unlike_questions(const std::vector<runs::RunData>& runs);

/// Leaves in every run the tasks and lengths that all have. Throws kInvalidArgument where there is
/// none.
void keep_shared_cells(std::vector<runs::RunData>& runs);

}  // namespace elastic::reports
