#pragma once

// Two runs set against each other, sample by sample: which samples both have, whether they are the
// same question, and what the scores say (paired.h).
//
//   ComparedRuns compared = compare_runs(read_run("runs/a"), read_run("runs/b"), {});
//   for (const ComparedRow& row : compared.rows) ... row.result.difference ...
//
// A sample is the same where task, length, index, references and the hashes of prompt and ids
// agree. Runs of different --limit are compared over the samples they share; what only one has is
// counted and noted. Everything else that makes the runs unlike is refused, or noted where allowed.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runs/paired.h"
#include "runs/record.h"

namespace elastic::runs {

struct CompareOptions {
  std::string mode_a, mode_b;    // empty: the modes both have, else the only one of each
  bool allow_different = false;  // unlike runs are compared and `unlike` says in what
};

/// Sums over the pairs in which both sides have the number.
struct PairedMean {
  double a = 0, b = 0;
  std::int64_t n = 0;

  void add(const std::optional<double>& of_a, const std::optional<double>& of_b);
  void add(const PairedMean& other);
};

/// What the scores of a row cost on both sides.
struct Work {
  PairedMean token_density;  // of prefill
  PairedMean read_share;     // of decode steps
  PairedMean prefill_ms;

  void add(const SampleRecord& a, const SampleRecord& b);
  void add(const Work& other);
};

struct ComparedRow {
  std::string mode_a, mode_b;
  std::string task;           // of a suite's row: the suite
  std::int64_t length = 0;    // 0: none, or a suite over its lengths
  std::int64_t left_out = 0;  // samples that only one run has, that failed, or that are no pair
  PairedResult result;
  Work work;
};

struct ComparedRuns {
  std::vector<ComparedRow> rows;    // by mode, task and length
  std::vector<ComparedRow> suites;  // of suites with more than one row
  std::vector<std::string> unlike;  // differences that were allowed
  std::vector<std::string> notes;   // samples left out because one run has fewer
};

/// Throws kInvalidArgument naming both runs where profiles, data, prompts, their ids or settings of
/// the prompt differ, where the smaller sample set is not whole, or where nothing is in common.
ComparedRuns compare_runs(const RunData& a, const RunData& b, const CompareOptions& options);

/// Whether the interval excludes that b loses `points` of 100 or more.
bool excludes_loss(const PairedResult& result, double points);

}  // namespace elastic::runs
