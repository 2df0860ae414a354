#pragma once

// A run folded into the cells that tables show: one per model, mode, task and length, and their
// aggregates per suite. Scores are 0..1 here and 0..100 where they are printed.
//
//   const Summary summary = summarise(run);
//   for (const Cell& cell : summary.cells) ... cell.score->value, cell.scored of cell.planned
//
// Aggregation rules (each estimate carries the one that made it):
//   cell            mean of its samples
//   suite, length   unweighted mean of the suite's tasks at that length (RULER's own rule)
//   category        unweighted mean of its tasks, for suites without lengths
//   suite           unweighted mean of the lengths; without lengths, of the tasks
// What Sparsity holds is averaged with the same weights; times are pooled over samples.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runs/record.h"
#include "runs/statistics.h"

namespace elastic::runs {

/// Distribution of a time over samples, in milliseconds.
struct Spread {
  double p50 = 0, p95 = 0, min = 0, max = 0;
  std::int64_t n = 0;
};

/// Means over samples (elastic_attention spec 5.2, sparse_attention_2 spec 7). MSR says how many
/// heads may leave out keys, not what work remains: methods are compared by the others, prefill and
/// decode apart.
struct Sparsity {
  std::optional<double> msr;
  std::optional<double> esr_last_query, esr_last_layer, esr_all_layers;
  std::optional<double> block_density, pv_density;  // prefill
  std::optional<double> read_share;                 // decode steps
  std::optional<double> cache_share;                // kv_bytes / kv_bytes_full
  std::optional<double> fallback_share;             // of (layer, KV head) pairs

  /// Visible / causal pairs of the prefill, over all layers and heads.
  std::optional<double> token_density() const {
    return esr_all_layers ? std::optional(1 - *esr_all_layers) : std::nullopt;
  }
};

/// Medians in milliseconds unless a Spread. `rest` = what the other parts leave of prefill's
/// median, so that the parts sum to the whole.
struct Latency {
  std::optional<Spread> prefill, ttft;
  std::optional<Spread> tpot;   // tpot_ms()
  std::optional<Spread> batch;  // sequences decoded together
  std::optional<double> router, select, attention, rest;
  std::optional<double> prompt_tokens;     // median
  std::optional<std::int64_t> peak_bytes;  // maximum
  // Of samples whose energy was counted: the mean, and all of it over all tokens of their answers.
  std::optional<double> joules, joules_per_token;
};

struct Cell {
  std::string model, mode;
  std::string task;         // of an aggregate: the suite
  std::string category;     // empty where unknown, and for aggregates
  std::int64_t length = 0;  // 0: none, or an aggregate over lengths
  std::string metric;       // empty where the aggregated tasks differ
  std::optional<Estimate> score;
  std::int64_t planned = 0;  // samples that should be there
  std::int64_t scored = 0;   // samples with a score
  std::int64_t failed = 0;   // samples that ended in an error
  std::int64_t truncated = 0, truncated_tokens = 0;
  Sparsity sparsity;
  Latency latency;                   // empty for an aggregate over lengths
  std::vector<std::size_t> samples;  // positions in RunData::samples
};

struct Summary {
  std::vector<std::string> models, modes, tasks, suites;  // in the order of the run's spec
  std::vector<std::int64_t> lengths;                      // ascending
  std::vector<Cell> cells;                                // by model, mode, task, length
  std::vector<Cell> by_length;    // suites at one length; none for suites without lengths
  std::vector<Cell> overall;      // suites
  std::vector<Cell> by_category;  // of suites without lengths: `task` the suite, `category` set
};

Summary summarise(const RunData& run);

/// A cell of these samples (positions in RunData::samples) of one model and mode: score, counts,
/// sparsity and times; all of them are planned. For what cuts across cells, such as strata.
Cell cell_of_samples(const RunData& run, std::vector<std::size_t> samples);

/// Ended well, with a score that is a number.
bool has_score(const SampleRecord& sample);

/// The source document that samples may share, a cluster in intervals; empty stands alone.
std::string_view document_of(const SampleRecord& sample);

/// "ruler" of "ruler/niah_single_1"; a name without a slash is its own suite.
std::string_view suite_of(std::string_view task);

/// The dense baseline among modes, else the first variant of it ("fa:..."). Empty if none.
std::string dense_mode(const std::vector<std::string>& modes);

Latency latency_of(const RunData& run, const std::vector<std::size_t>& samples);

/// Decode time per output token after the first of each pass, or nothing where there was none. In a
/// batch this is one sequence's wait for its next token, in which the others get one as well.
std::optional<double> tpot_ms(const SampleRecord& sample);

/// First cell that matches, or null. `task` is the suite for aggregates.
const Cell* find_cell(const std::vector<Cell>& cells, std::string_view model, std::string_view mode,
                      std::string_view task, std::int64_t length);

}  // namespace elastic::runs
