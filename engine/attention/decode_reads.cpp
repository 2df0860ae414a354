#include "engine/attention/decode_reads.h"

#include <ATen/core/Tensor.h>

#include <iterator>
#include <vector>

namespace elastic::engine {
namespace {

// Share of the tiles that a loop computed, and whose values it read.
double computed_share(const at::Tensor& tiles) {
  const at::Tensor counts = tiles.to(at::kCPU);
  const std::int64_t* count = counts.const_data_ptr<std::int64_t>();
  return count[1] == 0 ? 1 : static_cast<double>(count[0]) / static_cast<double>(count[1]);
}

// Keys that the KV heads of a mask read for the one row of `span`, each for its `group` query
// heads. A window of tokens is the same for all.
std::int64_t keys_of_heads(const BlockMask& mask, std::int64_t kv_heads, std::int64_t group,
                           const RowSpan& span) {
  if (mask.token_local > 0) return kv_heads * count_visible(mask, 0, span).last_row_keys;
  std::int64_t keys = 0;
  for (std::int64_t head = 0; head < kv_heads; ++head) {
    keys += keys_of_union(mask, head * group, group);
  }
  return keys;
}

}  // namespace

std::int64_t keys_of_union(const BlockMask& mask, std::int64_t first, std::int64_t count) {
  std::vector<KeyRange> all;
  for (std::int64_t head = first; head < first + count; ++head) {
    all = union_of(all, mask.head(head).block(0));
    if (mask.heads.size() == 1) break;
  }
  std::int64_t keys = 0;
  for (const KeyRange& range : all) keys += range.end - range.begin;
  return keys;
}

void count_step(DecodeReads& reads, const HeadGroups& groups, const AttentionInput& input,
                const HeadState& state) {
  const std::int64_t heads_kv = input.k.size(0), group = input.q.size(0) / heads_kv;
  double vectors = 0;
  for (const HeadGroup& own : groups.groups) {
    for (const Branch& branch : own.branches) {  // each over keys and values of its own
      vectors += 2 * static_cast<double>(keys_of_heads(branch.mask, std::ssize(own.kv_heads), group,
                                                       branch.input.span()));
    }
    if (!own.branches.empty()) continue;
    const std::int64_t keys =
        keys_of_heads(own.mask, std::ssize(own.kv_heads), group, input.span());
    const double values = own.skip && groups.tiles.defined() ? computed_share(groups.tiles) : 1;
    vectors += static_cast<double>(keys) * (1 + values);
    if (!own.mask.dense) {
      vectors += static_cast<double>(std::ssize(own.kv_heads) * state.selection_vectors);
    }
  }
  const auto bytes = static_cast<double>(input.k.size(2) * input.k.element_size());
  reads.add(bytes * vectors, bytes * 2 * static_cast<double>(heads_kv * input.k.size(1)));
}

}  // namespace elastic::engine
