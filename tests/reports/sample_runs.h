#pragma once

// Runs for report tests: the fixture folder, and samples made in memory.

#include <string>
#include <utility>

#include "harness/store/run_store.h"
#include "tests/testing/folders.h"

namespace elastic::reports {

/// tests/data/reports/run: two tasks, two lengths, three modes, three samples each; some are
/// missing and some ended in an error.
inline harness::RunData fixture_run() { return harness::read_run(testing::fixture("reports/run")); }

inline harness::SampleRecord make_sample(std::string mode, std::string task, std::int64_t length,
                                         std::int64_t index, double score) {
  harness::SampleRecord record;
  record.model = "m";
  record.mode = std::move(mode);
  record.task = std::move(task);
  record.length = length;
  record.index = index;
  record.score = score;
  record.metric = "string_match_all";
  record.msr = 0.5;
  record.prefill_ms = 10;
  record.routing = {"01", "11"};
  return record;
}

}  // namespace elastic::reports
