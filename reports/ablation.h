#pragma once

// One setting of the router changed, everything else equal: score and sparsity at each value beside
// the paper's own ablation (its table 3, figures 7 and 14).
//
//   documents.push_back(ablation_document({.name = "hidden-size", .points = {...}}, input));

#include <optional>
#include <string>
#include <vector>

#include "reports/document.h"
#include "reports/input.h"
#include "reports/training_curves.h"

namespace elastic::reports {

struct AblationPoint {
  std::string setting;    // as people write it: "4", "0.7", "all"
  std::size_t run = 0;    // of the input: the routed run with this setting
  TrainingCurves curves;  // of its router
};

struct Ablation {
  std::string name;          // hidden-size, target-sparsity or pool-budget
  std::string mode;          // the routed mode of every point, e.g. fa-ssa
  std::size_t baseline = 0;  // of the input: the run whose modes need no router, the dense first
  std::vector<AblationPoint> points;
};

/// Table, figure and sheet `ablation_<name>`; points without scores show a dash.
Document ablation_document(const Ablation& ablation, const ReportInput& input);

}  // namespace elastic::reports
