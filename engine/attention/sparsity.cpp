#include "engine/attention/sparsity.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

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

void forget_last_row(VisibleCount& count) { count.last_row_keys = count.last_row_causal = 0; }

// bool [heads, query blocks, key blocks] in blocks of `side` -> int64 [heads]: tiles of kMaskBlock
// with a block in them. `first`: absolute query block of row 0.
at::Tensor tiles_of(const at::Tensor& keep, std::int64_t side, std::int64_t first) {
  const std::int64_t ratio = kMaskBlock / side;
  if (ratio == 1) return keep.sum({1, 2});
  const auto up = [ratio](std::int64_t n) { return (n + ratio - 1) / ratio * ratio; };
  const std::int64_t front = first % ratio, rows = up(front + keep.size(1)),
                     columns = up(keep.size(2));
  return at::constant_pad_nd(keep.to(at::kByte),
                             {0, columns - keep.size(2), front, rows - front - keep.size(1)})
      .view({keep.size(0), rows / ratio, ratio, columns / ratio, ratio})
      .amax({2, 4})
      .sum({1, 2});
}

// Of each row of a choice: int64 [query heads, query blocks], and tiles with a block in them.
struct KeptBlocks {
  at::Tensor diagonal, others, tiles;
};

KeptBlocks kept_blocks(const BlockChoice& choice, std::int64_t first) {
  if (choice.counts.defined()) {  // of tiles; such a choice has the whole diagonal
    at::Tensor counts = choice.counts;
    if (static_cast<std::int64_t>(choice.heads.size()) < counts.size(0)) {
      counts = counts.index_select(0, index_of(choice.heads, counts.device()));
    }
    return {at::ones_like(counts, at::kLong), counts.to(at::kLong) - 1, counts.sum(1)};
  }
  const at::Tensor diagonal = choice.keep.diagonal(first, 1, 2).to(at::kLong);
  return {diagonal, choice.keep.sum(2) - diagonal, tiles_of(choice.keep, choice.block, first)};
}

// What rows of the span see of a choice, where it lies: int64 [query heads, 3] = pairs, tiles, keys
// of the last row. Blocks left of the diagonal are seen whole.
at::Tensor count_choice(const BlockChoice& choice, const RowSpan& span) {
  const std::int64_t side = choice.block, first = span.q_start / side;
  const KeptBlocks kept = kept_blocks(choice, first);
  const std::int64_t blocks = kept.others.size(1), end = span.q_start + span.rows;
  std::vector<std::int64_t> whole, own;  // pairs of a block of keys and of the diagonal one
  for (std::int64_t b = first; b < first + blocks; ++b) {
    const std::int64_t from = std::max(b * side, span.q_start) - b * side;
    const std::int64_t rows = std::min((b + 1) * side, end) - b * side - from;
    whole.push_back(rows * side);
    own.push_back(rows * (2 * from + rows + 1) / 2);
  }
  const auto there = [&](const std::vector<std::int64_t>& values) {
    return on_device(at::tensor(values, at::TensorOptions(at::kLong)), kept.others.device());
  };
  const at::Tensor pairs = (kept.others * there(whole) + kept.diagonal * there(own)).sum(1);
  const at::Tensor last = kept.others.select(1, blocks - 1) * side +
                          kept.diagonal.select(1, blocks - 1) * (end - (first + blocks - 1) * side);
  return at::stack({pairs, kept.tiles, last}, 1);
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

void SparsityMeter::add(std::int64_t layer, const HeadGroups& groups, const RowSpan& span) {
  check(layer >= 0 && layer < static_cast<std::int64_t>(layers_.size()),
        "a meter knows its layers");
  Layer& entry = layers_[static_cast<std::size_t>(layer)];
  forget_last_row(entry.sum);  // only the latest slice holds the last row
  for (Open& open : entry.open) {
    forget_last_row(open.each);
    if (open.counts.defined()) open.counts.select(1, 2).zero_();
  }
  if (groups.tiles.defined()) open_tiles_.push_back(groups.tiles);
  for (const HeadGroup& group : groups.groups) {
    const auto heads = static_cast<std::int64_t>(group.kv_heads.size()) * group_;
    if (group.is_estimated()) {
      entry.open.push_back({group.sparse, group.kv_heads, groups.decided.defined(),
                            count_visible(dense_mask(span), 0, span),
                            count_choice(group.choice, span)});
    } else if (groups.decided.defined()) {
      entry.open.push_back(
          {group.sparse, group.kv_heads, true, count_visible(group.mask, 0, span), {}});
    } else if (group.seen().heads.size() == 1) {
      accumulate(entry.sum, count_visible(group.seen(), 0, span), heads);
    } else {
      const std::int64_t share = group.seen().share;
      for (std::int64_t h = 0; h < heads; h += share) {
        accumulate(entry.sum, count_visible(group.seen(), h, span), share);
      }
    }
  }
}

void SparsityMeter::settle(std::span<const HeadDecision> decisions) {
  std::vector<at::Tensor> counts;
  for (const Layer& layer : layers_) {
    for (const Open& open : layer.open) {
      if (open.counts.defined()) counts.push_back(open.counts.flatten());
    }
  }
  counts.insert(counts.end(), open_tiles_.begin(), open_tiles_.end());
  const at::Tensor all = counts.empty() ? at::Tensor() : at::cat(counts).to(at::kCPU).contiguous();
  const std::int64_t* next = counts.empty() ? nullptr : all.const_data_ptr<std::int64_t>();
  for (std::size_t layer = 0; layer < std::min(layers_.size(), decisions.size()); ++layer) {
    settle(layers_[layer], decisions[layer], next);
  }
  for (std::size_t i = 0; i < open_tiles_.size(); ++i, next += 2) {
    computed_ += next[0];
    looped_ += next[1];
  }
  open_tiles_.clear();
}

// `counts`: the next of the numbers that were read.
void SparsityMeter::settle(Layer& layer, const HeadDecision& decision,
                           const std::int64_t*& counts) const {
  for (const Open& open : layer.open) {
    for (const int head : open.kv_heads) {
      const bool belongs =
          !open.candidates || decision.is_sparse[static_cast<std::size_t>(head)] == open.sparse;
      if (!open.counts.defined()) {
        if (belongs) accumulate(layer.sum, open.each, group_);
        continue;
      }
      for (std::int64_t g = 0; g < group_; ++g, counts += 3) {
        VisibleCount count = open.each;
        count.pairs = counts[0];
        count.blocks = counts[1];
        count.last_row_keys = counts[2];
        if (belongs) accumulate(layer.sum, count, 1);
      }
    }
  }
  layer.open.clear();
}

void SparsityMeter::fill(Trace& trace) const {
  VisibleCount all;
  for (const Layer& layer : layers_) {
    check(layer.open.empty() && open_tiles_.empty(), "a meter is settled before it is read");
    accumulate(all, layer.sum, 1);
  }
  trace.msr = model_sparsity(trace.routing);
  trace.block_density = share(all.blocks, all.causal_blocks, 1);
  if (looped_ > 0) trace.pv_density = share(computed_, looped_, 1);
  trace.esr.all_layers = 1 - share(all.pairs, all.causal_pairs, 1);
  if (layers_.empty()) return;
  const VisibleCount& last = layers_.back().sum;
  trace.esr.last_layer = 1 - share(last.pairs, last.causal_pairs, 1);
  trace.esr.last_query = 1 - share(last.last_row_keys, last.last_row_causal, 1);
}

}  // namespace elastic::engine
