#pragma once

// Which KV head gets which mode: uniform, a static pattern from a file, or routed. One of the five
// seams. The policy is asked once per layer and sequence, during prefill; the decision is kept for
// the generation.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace elastic::engine {

struct HeadDecision {
  // Per KV head, 1 = the sparse mode. Empty while only the device knows it.
  std::vector<std::uint8_t> is_sparse;
  // {sparse, full} logits per KV head; empty without a router and while only the device knows them.
  std::vector<std::array<float, 2>> router_logits;
  // Of a router, on its device: uint8 [heads_kv], fp32 [heads_kv, 2] and the [heads_kv, head_dim]
  // that it read.
  at::Tensor device_sparse, device_logits, pooled_keys;

  bool on_host() const { return !is_sparse.empty(); }
};

struct RouterWeights;  // engine/router/router.h

/// What only the device knows, read into is_sparse and router_logits: one wait for all decisions.
void read_decisions(std::span<HeadDecision> decisions);

class HeadPolicy {
 public:
  virtual ~HeadPolicy() = default;

  /// Empty for policies that the mode string itself names (uniform, routed), else the options that
  /// change results, e.g. "pattern=heads.tsv,sparsity=0.5".
  virtual std::string describe() const = 0;

  /// True where decide() reads `pooled_keys`; otherwise the layer need not pool.
  virtual bool needs_keys() const { return false; }

  /// `pooled_keys` [heads_kv, head_dim]: KeyPool::mean() (engine/router/pooling.h) over this
  /// layer's keys of one sequence before RoPE (Qwen3: after k_norm); undefined where needs_keys()
  /// is false.
  virtual HeadDecision decide(std::int64_t layer, const at::Tensor& pooled_keys) const = 0;

  /// The router that decide() asks, for devices with a kernel for it; null without.
  virtual const RouterWeights* router(std::int64_t) const { return nullptr; }
};

}  // namespace elastic::engine
