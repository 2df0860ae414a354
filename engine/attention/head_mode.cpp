#include "engine/attention/head_mode.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>

#include <numeric>

#include "base/error.h"
#include "engine/attention/attention_backend.h"

namespace elastic::engine {

at::Tensor BlockChoice::table() const {
  if (keep.defined()) return keep;
  const at::Tensor rows = bits.index_select(0, index_of(heads, bits.device()));
  const at::Tensor place = at::arange(32, bits.options());
  return rows.unsqueeze(3)
      .bitwise_right_shift(place)
      .bitwise_and(1)
      .to(at::kBool)
      .flatten(2)
      .narrow(2, 0, key_blocks);
}

BlockMask mask_of(const BlockChoice& choice, const RowSpan& span) {
  const at::Tensor table = choice.table().to(at::kCPU, at::kByte).contiguous();
  const std::span visible(table.const_data_ptr<std::uint8_t>(),
                          static_cast<std::size_t>(table.numel()));
  return table_mask({visible, table.size(0), table.size(1), table.size(2), choice.block}, span);
}

std::vector<int> every_head(std::int64_t heads) {
  std::vector<int> all(static_cast<std::size_t>(heads));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<int> query_heads(const AttentionInput& input, std::span<const int> kv_heads) {
  const auto group = static_cast<int>(input.q.size(0) / input.k.size(0));
  std::vector<int> heads;
  for (const int head : kv_heads) {
    for (int g = 0; g < group; ++g) heads.push_back(head * group + g);
  }
  return heads;
}

at::Tensor index_of(std::span<const int> heads, at::Device device) {
  return on_device(at::tensor(at::ArrayRef<int>(heads.data(), heads.size()), at::kInt), device);
}

BlockChoice HeadMode::choose_blocks(const AttentionInput&, const CandidateHeads&) const {
  check(false, "a mode that estimates chooses blocks");
  return {};
}

BlockMask HeadMode::block_mask(const AttentionInput& input, std::span<const int> kv_heads) const {
  if (!places().estimates) return dense_mask(input.span());
  return mask_of(choose_blocks(input, {kv_heads}), input.span());
}

BlockMask HeadMode::decode_mask(const AttentionInput& input, std::span<const int>,
                                HeadState&) const {
  return dense_mask(input.span());
}

KeptKeys HeadMode::keep_keys(const AttentionInput&, HeadState&) const { return {}; }

bool HeadMode::falls_back(std::int64_t) const { return false; }

std::optional<SkipRule> HeadMode::skip_rule(std::int64_t, bool) const { return std::nullopt; }

}  // namespace elastic::engine
