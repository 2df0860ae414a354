#include <ATen/ops/cat.h>

#include <cmath>

#include "base/error.h"
#include "engine/attention/composed_attention.h"
#include "engine/attention/skip_softmax.h"

namespace elastic::engine {
namespace {

// The rows of a decode step as a call of one row a head.
AttentionInput step_input(const DecodeRow& row) {
  const std::int64_t dim = row.q.size(2);
  return {row.q.reshape({-1, 1, dim}), row.k, row.v, row.k.size(1) - 1,
          1 / std::sqrt(static_cast<double>(dim))};
}

}  // namespace

void ComposedBackend::prefill(const AttentionInput& input, const HeadGroups& groups,
                              at::Tensor& out, at::Tensor* lse) const {
  if (groups.decided.defined()) return prefill(input, read_decided(groups), out, lse);
  for (const HeadGroup& group : groups.groups) {
    if (group.kv_heads.empty() || input.q.size(1) == 0) continue;
    if (group.skip) {
      check(group.mask.dense, "tiles are passed over by heads that see every key");
      attend_skipping(input, group.kv_heads, *group.skip, groups.tiles, out, lse);
      continue;
    }
    attend(input, group.kv_heads, host_mask(group, input.span()), out, lse);
  }
}

void ComposedBackend::attend_skipping(const AttentionInput& input, std::span<const int> kv_heads,
                                      const SkipRule& rule, const at::Tensor& tiles,
                                      at::Tensor& out, at::Tensor* lse) const {
  skip_softmax_attention(input, kv_heads, rule, tiles, out, lse);
}

void ComposedBackend::decode(std::span<const DecodeRow> rows) const {
  for (const DecodeRow& row : rows) {
    const AttentionInput input = step_input(row);
    at::Tensor out = row.out.view({-1, 1, row.q.size(2)});
    attend(input, every_head(row.k.size(0)), dense_mask(input.span()), out, nullptr);
  }
}

const AttentionBackend& composed_backend() {
  static const ComposedBackend composed;
  return composed;
}

HeadGroups read_decided(const HeadGroups& groups) {
  const at::Tensor bytes = groups.decided.to(at::kCPU).contiguous();
  const std::uint8_t* decision = bytes.const_data_ptr<std::uint8_t>();
  HeadGroups known{.groups = {}, .decided = {}, .tiles = groups.tiles};
  for (const HeadGroup& group : groups.groups) {
    check(static_cast<std::int64_t>(group.kv_heads.size()) == bytes.numel() &&
              group.mask.heads.size() <= 1,
          "candidates are all heads, under one mask or a table on the device");
    HeadGroup chosen{group.sparse, {}, group.mask, {}, group.skip};
    std::vector<at::Tensor> keep;  // of the query heads of each KV head
    for (const int head : group.kv_heads) {
      if (decision[head] != group.sparse) continue;
      chosen.kv_heads.push_back(head);
      if (!group.is_estimated()) continue;
      const at::Tensor table = group.choice.table();
      const std::int64_t heads = table.size(0) / bytes.numel();
      keep.push_back(table.narrow(0, head * heads, heads));
    }
    if (chosen.kv_heads.empty()) continue;
    if (!keep.empty()) chosen.choice = {at::cat(keep), group.choice.block};
    known.groups.push_back(std::move(chosen));
  }
  return known;
}

BlockMask host_mask(const HeadGroup& group, const RowSpan& span) {
  return group.is_estimated() ? mask_of(group.choice, span) : group.mask;
}

}  // namespace elastic::engine
