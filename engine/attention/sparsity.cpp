#include "engine/attention/sparsity.h"

#include <algorithm>

#include "base/error.h"

namespace elastic::engine {
namespace {

// Integer ratios, one division; `fallback` where nothing was counted.
double share(std::int64_t part, std::int64_t whole, double fallback) {
  return whole == 0 ? fallback : static_cast<double>(part) / static_cast<double>(whole);
}

void accumulate(VisibleCount& sum, const VisibleCount& more, std::int64_t times) {
  sum.pairs += times * more.pairs;
  sum.causal_pairs += times * more.causal_pairs;
  sum.blocks += times * more.blocks;
  sum.causal_blocks += times * more.causal_blocks;
  sum.last_row_keys += times * more.last_row_keys;
  sum.last_row_causal += times * more.last_row_causal;
}

}  // namespace

double model_sparsity(std::span<const std::string> routing) {
  std::int64_t sparse = 0, all = 0;
  for (const std::string& layer : routing) {
    sparse += std::count(layer.begin(), layer.end(), '1');
    all += static_cast<std::int64_t>(layer.size());
  }
  return share(sparse, all, 0);
}

void SparsityMeter::add(std::int64_t layer, std::span<const HeadGroup> groups,
                        const RowSpan& span) {
  check(layer >= 0 && layer < static_cast<std::int64_t>(layers_.size()),
        "a meter knows its layers");
  VisibleCount& sum = layers_[static_cast<std::size_t>(layer)];
  sum.last_row_keys = sum.last_row_causal = 0;  // only the latest slice holds the last row
  for (const HeadGroup& group : groups) {
    const std::int64_t heads = static_cast<std::int64_t>(group.kv_heads.size()) * group_;
    if (group.mask.heads.size() == 1) {
      accumulate(sum, count_visible(group.mask, 0, span), heads);
      continue;
    }
    for (std::int64_t h = 0; h < heads; ++h) {
      accumulate(sum, count_visible(group.mask, h, span), 1);
    }
  }
}

void SparsityMeter::fill(Trace& trace) const {
  VisibleCount all;
  for (const VisibleCount& layer : layers_) accumulate(all, layer, 1);
  trace.msr = model_sparsity(trace.routing);
  trace.block_density = share(all.blocks, all.causal_blocks, 1);
  trace.esr.all_layers = 1 - share(all.pairs, all.causal_pairs, 1);
  if (layers_.empty()) return;
  const VisibleCount& last = layers_.back();
  trace.esr.last_layer = 1 - share(last.pairs, last.causal_pairs, 1);
  trace.esr.last_query = 1 - share(last.last_row_keys, last.last_row_causal, 1);
}

}  // namespace elastic::engine
