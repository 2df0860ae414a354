#pragma once

// All models, routers and modes of several runs in one table, ranked by the score of a suite.
//
//   Document board = leaderboard_document(make_input(std::move(runs), titles), "ruler");
//
// Rank: 1 + the number of entries whose score is higher by more than chance, by the 95 % interval
// of the difference. Entries of one rank are tied. The interval is paired (runs/paired.h) where
// both answered the same data, else of two independent means.

#include <string>

#include "reports/document.h"
#include "reports/input.h"

namespace elastic::reports {

/// Throws kInvalidArgument for a suite that no run has; empty: the first.
Document leaderboard_document(const ReportInput& input, std::string suite);

}  // namespace elastic::reports
