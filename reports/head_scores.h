#pragma once

// Which heads look at needles (paper equation 9), and beside them how often the router of a run
// kept each head full.
//
//   const Document document = head_scores_document(scores, head_rates(input));

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "reports/document.h"
#include "reports/input.h"
#include "reports/routing_grid.h"

namespace elastic::reports {

/// [layer][head]
using HeadGrid = std::vector<std::vector<double>>;

struct HeadScores {
  std::string model;
  std::int64_t heads_kv = 0;
  std::vector<std::string> tasks;  // that the prompts are of
  std::int64_t samples = 0;
  HeadGrid scores;  // of query heads, means over samples
};

/// Of KV heads: means over the query heads that share one.
HeadGrid by_kv_head(const HeadScores& scores);

/// KV heads, layer * heads a layer + head, by ascending score; of equal ones the later comes first.
std::vector<std::size_t> ascending_heads(const HeadGrid& kv_heads);

/// Gates of a pattern whose heads turn sparse in this order: the share of heads before each, so
/// that under `threshold=x` M - floor((1 - x) M) of M heads are sparse (sparse_attention spec 11).
HeadGrid gates_of_order(std::span<const std::size_t> order, std::size_t heads_kv);

/// Routing of one task, or with an empty name of all.
struct HeadRates {
  std::string mode, task;
  RoutingGrid routing;

  /// Share of samples with the KV head full.
  HeadGrid full() const;
};

/// All tasks, then task by task, of the first mode of the first run that decides head by head.
/// Throws kInvalidArgument where there is none, or its model has other heads than `scores`.
std::vector<HeadRates> head_rates(const ReportInput& input, const HeadScores& scores);

/// Tables of the heads that look most and of rank agreement, a heatmap of each grid, sheets
/// `retrieval_scores` and (with rates) `full_rates`.
Document head_scores_document(const HeadScores& scores, const std::vector<HeadRates>& rates);

/// As a pattern file (engine/io/head_pattern.h): a line a layer, a number a KV head.
std::string pattern_text(const HeadGrid& kv_heads);

}  // namespace elastic::reports
