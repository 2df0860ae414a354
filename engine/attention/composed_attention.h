#pragma once

// Attention of heads whose masks the host knows, group by group; composed of ATen operations where
// nothing better is at hand.

#include <ATen/core/Tensor.h>

#include <span>

#include "engine/attention/attention_backend.h"

namespace elastic::engine {

/// As masked_attention(), on any device, in slices of query rows over the union of their key
/// ranges, so that memory stays linear in the number of tokens.
void composed_attention(const AttentionInput& input, std::span<const int> kv_heads,
                        const BlockMask& mask, at::Tensor& out, at::Tensor* lse = nullptr);

/// Waits for the device where it decided or estimated.
class ComposedBackend : public AttentionBackend {
 public:
  void prefill(const AttentionInput& input, const HeadGroups& groups, at::Tensor& out,
               at::Tensor* lse) const override;
  void decode(std::span<const DecodeRow> rows) const override;

 protected:
  virtual void attend(const AttentionInput& input, std::span<const int> kv_heads,
                      const BlockMask& mask, at::Tensor& out, at::Tensor* lse) const {
    composed_attention(input, kv_heads, mask, out, lse);
  }
  /// Of heads that see every key under the rule; `tiles` as in HeadGroups.
  virtual void attend_skipping(const AttentionInput& input, std::span<const int> kv_heads,
                               const SkipRule& rule, const at::Tensor& tiles, at::Tensor& out,
                               at::Tensor* lse) const;
};

}  // namespace elastic::engine
