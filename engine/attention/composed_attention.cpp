#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

#include "engine/attention/composed_attention.h"

namespace elastic::engine {
namespace {

// Scores held at a time, over all heads of a slice.
constexpr std::int64_t kScoreBudget = std::int64_t{1} << 26;

// Query heads that share one mask, all of one KV head each: q_heads = kv_heads x group.
struct HeadSet {
  at::Tensor kv_heads;  // int64 [n]
  at::Tensor q_heads;   // int64 [n * group], in the order of kv_heads
  std::int64_t group = 1;
  const HeadMask* mask = nullptr;
};

template <typename Index>
at::Tensor index_tensor(const std::vector<Index>& values, const at::Tensor& like) {
  return at::tensor(values, at::TensorOptions(at::kLong)).to(like.device());
}

std::vector<HeadSet> head_sets(const AttentionInput& input, std::span<const int> kv_heads,
                               const BlockMask& mask) {
  const auto group = static_cast<int>(input.q.size(0) / input.k.size(0));
  const std::vector<int> heads = query_heads(input, kv_heads);
  std::vector<HeadSet> sets;
  if (mask.heads.size() == 1) {
    const std::vector<int> kv(kv_heads.begin(), kv_heads.end());
    sets.push_back(
        {index_tensor(kv, input.q), index_tensor(heads, input.q), group, &mask.heads[0]});
    return sets;
  }
  const auto share = static_cast<std::size_t>(mask.share);
  for (std::size_t h = 0; h < heads.size(); h += share) {
    const auto first = heads.begin() + static_cast<std::ptrdiff_t>(h);
    sets.push_back({index_tensor(std::vector<int>{heads[h] / group}, input.q),
                    index_tensor(std::vector<int>(first, first + mask.share), input.q), mask.share,
                    &mask.head(static_cast<std::int64_t>(h))});
  }
  return sets;
}

// What the rows of blocks [first, last) see.
std::vector<KeyRange> seen_keys(const HeadMask& mask, std::int64_t first, std::int64_t last) {
  std::vector<KeyRange> all;
  for (std::int64_t b = first; b < last; ++b) all = union_of(all, mask.block(b));
  return all;
}

// The keys of ascending ranges, int64 [keys]. Selections of tokens have hundreds of ranges: what
// runs on the device does not depend on how many.
at::Tensor keys_of(const std::vector<KeyRange>& ranges, const at::Tensor& like) {
  std::vector<std::int64_t> shifts, lengths;
  std::int64_t count = 0;
  for (const KeyRange& range : ranges) {
    shifts.push_back(range.begin - count);
    lengths.push_back(range.end - range.begin);
    count += lengths.back();
  }
  const at::Tensor shift =
      at::repeat_interleave(index_tensor(shifts, like), index_tensor(lengths, like), 0, count);
  return shift + at::arange(count, shift.options());
}

// bool [blocks, keys]: which of the gathered keys each query block's ranges hold. A range lies in
// one of the gathered stretches; on the device a key is inside where more ranges of its row have
// begun than ended.
at::Tensor membership(const HeadMask& mask, std::int64_t first, std::int64_t last,
                      const std::vector<KeyRange>& keys, const at::Tensor& like) {
  std::vector<std::int64_t> bases;  // column of keys[i].begin
  std::int64_t count = 0;
  for (const KeyRange& stretch : keys) {
    bases.push_back(count);
    count += stretch.end - stretch.begin;
  }
  std::vector<std::int64_t> begins, ends;  // places in [blocks, keys + 1]
  for (std::int64_t b = first; b < last; ++b) {
    for (const KeyRange& range : mask.block(b)) {
      const auto next = std::upper_bound(
          keys.begin(), keys.end(), range.begin,
          [](std::int64_t key, const KeyRange& stretch) { return key < stretch.begin; });
      const auto stretch = static_cast<std::size_t>(next - keys.begin() - 1);
      const std::int64_t place =
          (b - first) * (count + 1) + bases[stretch] + range.begin - keys[stretch].begin;
      begins.push_back(place);
      ends.push_back(place + range.end - range.begin);
    }
  }
  const at::Tensor change =
      at::zeros({(last - first) * (count + 1)}, at::TensorOptions(at::kInt).device(like.device()));
  const auto add = [&](const std::vector<std::int64_t>& places, int value) {
    change.index_add_(0, index_tensor(places, like),
                      at::full({std::ssize(places)}, value, change.options()));
  };
  add(begins, 1);
  add(ends, -1);
  return change.view({last - first, count + 1}).narrow(1, 0, count).cumsum(1, at::kInt) > 0;
}

struct Slice {
  std::int64_t first_row = 0, last_row = 0;      // of the call
  std::int64_t first_block = 0, last_block = 0;  // of the mask
};

// bool [rows, keys] by the definition in block_mask.h.
at::Tensor visible(const AttentionInput& input, const BlockMask& mask, const HeadMask& head,
                   const Slice& slice, const std::vector<KeyRange>& keys, const at::Tensor& key) {
  const auto options = at::TensorOptions(at::kLong).device(input.q.device());
  const at::Tensor p =
      at::arange(input.q_start + slice.first_row, input.q_start + slice.last_row, options);
  const at::Tensor block =
      p.div(mask.query_block, "floor").sub(mask.first_block + slice.first_block);
  at::Tensor see =
      membership(head, slice.first_block, slice.last_block, keys, input.q).index_select(0, block);
  see.logical_and_(key.unsqueeze(0) <= p.unsqueeze(1));
  if (mask.token_local > 0) {
    const at::Tensor recent = (p.unsqueeze(1) - key.unsqueeze(0)) < mask.token_local;
    see.logical_and_(recent.logical_or((key < mask.token_sink).unsqueeze(0)));
  }
  return see;
}

void attend_slice(const AttentionInput& input, const BlockMask& mask, const HeadSet& set,
                  const Slice& slice, at::Tensor& out, at::Tensor* lse) {
  const std::vector<KeyRange> keys = seen_keys(*set.mask, slice.first_block, slice.last_block);
  const at::Tensor key = keys_of(keys, input.q);
  const std::int64_t rows = slice.last_row - slice.first_row, dim = input.q.size(2);
  const std::int64_t n = set.kv_heads.size(0);
  const auto gather = [&](const at::Tensor& x) {
    return x.index_select(0, set.kv_heads).index_select(1, key).to(at::kFloat);
  };
  const at::Tensor q = input.q.narrow(1, slice.first_row, rows)
                           .index_select(0, set.q_heads)
                           .to(at::kFloat)
                           .mul(input.scale)
                           .reshape({n, set.group * rows, dim});
  at::Tensor scores = at::bmm(q, gather(input.k).transpose(1, 2));
  scores = scores.view({n, set.group, rows, -1});
  const at::Tensor see = visible(input, mask, *set.mask, slice, keys, key);
  scores.masked_fill_(see.logical_not(), -std::numeric_limits<double>::infinity());
  const at::Tensor norm = at::logsumexp(scores, {-1}, true);
  scores.sub_(at::where(norm.isinf(), 0.0, norm)).exp_();
  const at::Tensor result = at::bmm(scores.view({n, set.group * rows, -1}), gather(input.v));
  out.narrow(1, slice.first_row, rows)
      .index_put_({at::indexing::TensorIndex(set.q_heads)},
                  result.view({n * set.group, rows, dim}).to(out.scalar_type()));
  if (lse != nullptr) {
    lse->narrow(1, slice.first_row, rows)
        .index_put_({at::indexing::TensorIndex(set.q_heads)}, norm.view({-1, rows}));
  }
}

}  // namespace

void composed_attention(const AttentionInput& input, std::span<const int> kv_heads,
                        const BlockMask& mask, at::Tensor& out, at::Tensor* lse) {
  const RowSpan span = input.span();
  const std::int64_t q_end = span.q_start + span.rows;
  for (const HeadSet& set : head_sets(input, kv_heads, mask)) {
    const std::int64_t budget =
        kScoreBudget / std::max<std::int64_t>(1, set.q_heads.size(0) * q_end);
    const std::int64_t step = std::clamp<std::int64_t>(budget / mask.query_block, 1, 1024);
    const std::int64_t blocks = static_cast<std::int64_t>(set.mask->offsets.size()) - 1;
    for (std::int64_t b = 0; b < blocks; b += step) {
      const std::int64_t last = std::min(b + step, blocks);
      const std::int64_t begin = (mask.first_block + b) * mask.query_block;
      const std::int64_t end = (mask.first_block + last) * mask.query_block;
      attend_slice(input, mask, set,
                   {std::max(begin, span.q_start) - span.q_start,
                    std::min(end, q_end) - span.q_start, b, last},
                   out, lse);
    }
  }
}

}  // namespace elastic::engine
