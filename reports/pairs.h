#pragma once

// Two sides of a comparison within reports: the samples that both answered, paired by task, length
// and index (statistics: runs/paired.h).
//
//   const PairedCells cells = paired_cells({&run, model, "fa"}, {&run, model, "ssa"});
//   const runs::PairedResult suite = compare_cells(of_suite(cells, "ruler"));

#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "runs/paired.h"
#include "runs/record.h"

namespace elastic::reports {

/// What answered: a mode of a model in a run.
struct Side {
  const runs::RunData* run = nullptr;
  std::string_view model, mode;
};

struct SamplePair {
  const runs::SampleRecord* a = nullptr;
  const runs::SampleRecord* b = nullptr;
};

/// Samples with a score on both sides, in b's order.
std::vector<SamplePair> answered_by_both(const Side& a, const Side& b);

/// The same by task and length, each compared. The pairs point into both runs.
using PairedCells = std::map<runs::DataKey, runs::PairedCell>;
PairedCells paired_cells(const Side& a, const Side& b);

/// Those of one suite.
std::vector<runs::PairedCell> of_suite(const PairedCells& cells, std::string_view suite);

/// Their suite mean; one cell alone is its own result. `cells` is not empty.
runs::PairedResult compare_cells(std::span<const runs::PairedCell> cells);

}  // namespace elastic::reports
