#pragma once

// A table made of a run: the samples of a run folder like any other, planned, run and resumed as
// `run` does, and then compared with the paper's.

#include <functional>

#include "harness/evaluate/run_setup.h"
#include "harness/reproduce/experiments.h"

namespace elastic::harness {

using CompareRun =
    std::function<reports::Reproduction(const RunSetup& setup, const runs::RunData& run)>;

/// Without a reproduction where a plan was asked for, a signal came or another process reports.
Reproduced reproduce_by_run(const RunOptions& run, const CompareRun& compare);

}  // namespace elastic::harness
