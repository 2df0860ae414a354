#include "engine/attention/head_mode.h"

#include <numeric>

#include "engine/attention/masked_attention.h"

namespace elastic::engine {

std::vector<int> every_head(std::int64_t heads) {
  std::vector<int> all(static_cast<std::size_t>(heads));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

BlockMask HeadMode::block_mask(const AttentionInput& input, std::span<const int>) const {
  return dense_mask(input.span());
}

BlockMask HeadMode::decode_mask(const AttentionInput& input, std::span<const int>,
                                HeadState&) const {
  return dense_mask(input.span());
}

void HeadMode::forward(const AttentionInput& input, std::span<const int> kv_heads,
                       const BlockMask& mask, at::Tensor& out) const {
  masked_attention(input, kv_heads, mask, out);
}

}  // namespace elastic::engine
