#pragma once

// What an evaluation would do and need, cell by cell; nothing is loaded or generated.
//
//   const Forecast forecast = make_forecast(set_up(options));
//   for (const CellForecast& cell : forecast.cells) ... cell.memory.peak() ...

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/config/memory_estimate.h"
#include "harness/evaluate/run_setup.h"
#include "harness/run/cost.h"

namespace elastic::harness {

struct CellForecast {
  const PlannedCell* cell = nullptr;    // into RunSetup::plan
  std::optional<std::int64_t> samples;  // of all modes; empty where data are absent that tell it
  std::int64_t prompt_tokens = 0;       // of these
  double seconds = 0;                   // of these
  engine::MemoryEstimate memory;        // of one batch
};

struct Forecast {
  CostMachine machine;
  std::vector<CellForecast> cells;
  std::int64_t weight_bytes = 0;
  std::string absent;  // which data are not there and what brings them; empty: all are
};

/// Time and memory are predict_cost()'s. Throws what counting a task's samples throws, but for
/// absent data.
Forecast make_forecast(const RunSetup& setup);

}  // namespace elastic::harness
