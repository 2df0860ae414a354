#pragma once

// A table of the paper made again from a run: its columns (paper_columns.h) over the samples of its
// rows' modes, and the rows' differences to dense attention, pair by pair.
//
//   const auto numbers = reproduced_run({"table1", "Qwen3-4B", rows, columns}, run);

#include <string>
#include <vector>

#include "reports/paper_columns.h"
#include "reports/reproduction.h"
#include "runs/record.h"

namespace elastic::reports {

/// A row of the table, and the mode of the run that is set beside it.
struct PaperRow {
  std::string name;     // "FA-SSA"
  std::string mode;     // "fa-ssa"; empty: it was not run
  std::string missing;  // why not
};

struct PaperTable {
  std::string experiment;   // "table1"
  std::string paper_model;  // whose rows
  std::vector<PaperRow> rows;
  std::vector<PaperColumn> columns;
  std::vector<std::string> obstacles;  // of every number but differences: another model
  std::string dense = "FA";            // the row that differences and `kept` are relative to
};

/// Every number that the paper prints for these rows and columns, and scores of columns that it has
/// not. A set of LongBench stands in for that of LongBench-E where the run has no other, and is
/// called so.
std::vector<ReproducedNumber> reproduced_run(const PaperTable& table, const runs::RunData& run);

}  // namespace elastic::reports
