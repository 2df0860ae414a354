#pragma once

// How sparse a prefill was, from integer counts; one division at the end of each ratio.
//   MSR            share of (layer, KV head) pairs in the sparse mode
//   ESR            pruned share of tokens, 1 - visible / causal, mean over heads (full heads: 0)
//     last_query     keys of the last row, last layer
//     last_layer     all pairs of the causal area, last layer
//     all_layers     the same over every layer
//   block density  visited / causal tiles of 128 x 128 over all layers and heads
//   pv density     computed / all tiles of a kernel's loop (SkipRule), of the heads that skip some
// Every query head counts once; heads that share a KV head and a mask are counted together. What a
// device decided or estimated is counted there and read once, after the forward pass.
//
//   SparsityMeter meter(layers, heads_q / heads_kv);
//   meter.add(layer, groups, input.span());   // once per row slice
//   meter.settle(decisions);                  // decisions on the host; waits for the device
//   meter.fill(trace);                        // msr, esr, block_density, pv_density

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
  /// multiples of kMaskBlock; a last row alone counts its tiles once more.
  void add(std::int64_t layer, const HeadGroups& groups, const RowSpan& span);

  /// Reads what stayed on the device; one decision a layer, all on the host.
  void settle(std::span<const HeadDecision> decisions);

  /// Sets msr (of trace.routing), esr and both densities; everything is settled.
  void fill(Trace& trace) const;

 private:
  // A group whose heads or counts only the device knows.
  struct Open {
    std::uint8_t sparse = 0;
    std::vector<int> kv_heads;
    bool candidates = false;  // those of them whose decision is `sparse`
    VisibleCount each;        // of one head; where `counts` is defined, its causal numbers alone
    at::Tensor counts;        // int64 [query heads of kv_heads, 3]: pairs, tiles, keys of last row
  };
  struct Layer {
    VisibleCount sum;  // over query heads and slices; last row: latest slice
    std::vector<Open> open;
  };
  void settle(Layer& layer, const HeadDecision& decision, const std::int64_t*& counts) const;

  std::int64_t group_;
  std::vector<Layer> layers_;
  std::vector<at::Tensor> open_tiles_;      // HeadGroups::tiles, which backends still add to
  std::int64_t computed_ = 0, looped_ = 0;  // tiles
};

}  // namespace elastic::engine
