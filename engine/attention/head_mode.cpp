#include "engine/attention/head_mode.h"

#include "engine/attention/masked_attention.h"

namespace elastic::engine {

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
