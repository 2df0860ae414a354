#pragma once

// What the columns of the paper's tables are made of (elastic_attention spec 5.1): which samples,
// and which mean of them.
//
//   LongBench-E   a category is the plain mean of its sets, `avg` the mean over all samples; the
//                 MSR under `avg` is the mean of the six categories
//   RULER         the mean of 11 tasks at a length; over lengths, the mean of these
//   LongBench-v2  the share of right answers, of all questions or of one difficulty

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::reports {

struct PaperColumn {
  std::string name;                // as published.h has it
  std::vector<std::string> tasks;  // "longbench_e/qasper"
  std::int64_t length = 0;         // tokens; 0: all lengths that were run, or a task without
  std::vector<std::int64_t> lengths = {};  // of a mean over lengths: the paper's
  std::string difficulty;                  // of LongBench-v2's questions; empty: all
  bool pooled = false;                     // the score is the mean over samples, not over tasks
  std::vector<std::string> mean_of;  // columns whose plain mean this is; where pooled, of MSR only
  std::int64_t samples = 0;          // behind the paper's score
};

/// Empty for an experiment whose numbers are not made of a run's samples.
std::vector<PaperColumn> paper_columns(std::string_view experiment);

/// A column of RULER at a length that the paper has not.
PaperColumn ruler_column(std::int64_t length);

/// Tasks of the columns, each once, in their order.
std::vector<std::string> tasks_of(const std::vector<PaperColumn>& columns);

}  // namespace elastic::reports
