#pragma once

// How sparse a prefill was, from integer counts; one division at the end of each ratio.
//   MSR            share of (layer, KV head) pairs in the sparse mode
//   ESR            pruned share of tokens, 1 - visible / causal, mean over heads (0 for full
//   heads):
//                  last_query: last layer, keys of the last row; last_layer: last layer, all pairs
//                  of the causal area; all_layers: the same over every layer
//   block density  visited / causal tiles of 128 x 128 over all layers and heads
// Every query head counts once; heads that share a KV head and a mask are counted together.
//
//   SparsityMeter meter(layers, heads_q / heads_kv);
//   meter.add(layer, groups, input.span());   // once per row slice
//   meter.fill(trace);                        // msr, esr, block_density

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/api/generator.h"
#include "engine/attention/attention_plan.h"
#include "engine/kernels/block_mask.h"

namespace elastic::engine {

/// Share of '1' in one string per layer with one character per KV head ('1' = sparse).
double model_sparsity(std::span<const std::string> routing);

class SparsityMeter {
 public:
  /// `group` = heads_q / heads_kv.
  SparsityMeter(std::int64_t layers, std::int64_t group)
      : group_(group), layers_(static_cast<std::size_t>(layers)) {}

  /// One row slice of one layer. Slices of a layer arrive in ascending row order and start at
  /// multiples of kMaskBlock.
  void add(std::int64_t layer, std::span<const HeadGroup> groups, const RowSpan& span);

  /// Sets msr (of trace.routing), esr and block_density.
  void fill(Trace& trace) const;

 private:
  std::int64_t group_;
  std::vector<VisibleCount> layers_;  // summed over query heads and slices; last row: latest slice
};

}  // namespace elastic::engine
