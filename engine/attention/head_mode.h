#pragma once

// What one head computes: full, streaming, later xattention, moba, nsa, infllm2. One of the five
// seams. A policy (head_policy.h) says which KV head gets which mode; attention_plan.h joins both
// and calls each mode once per layer, sequence and row slice with the KV heads that got it. Query
// head h reads KV head h / (heads_q / heads_kv); the heads of a group share their KV head's mode.
//
// Layout: one sequence at a time; tensors are [heads, tokens, head_dim] views with any strides but
// 1 in the last dimension, so a [tokens, heads * head_dim] projection or a cache with spare
// capacity is passed without a copy. Positions: query row i stands at absolute position q_start +
// i; key j is visible only if j <= that.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/kernels/block_mask.h"

namespace elastic::engine {

struct AttentionInput {
  at::Tensor q;              // [heads_q, rows, head_dim], RoPE applied
  at::Tensor k, v;           // [heads_kv, tokens, head_dim], RoPE applied; tokens >= q_start + rows
  std::int64_t q_start = 0;  // absolute position of query row 0
  double scale = 0;          // 1/sqrt(head_dim)

  RowSpan span() const { return {q_start, q.size(1), k.size(1)}; }
};

class HeadMode {
 public:
  virtual ~HeadMode() = default;

  virtual std::string_view name() const = 0;

  /// The mode with every option that changes results, e.g. "ssa:sink=128,local=2048,block=128".
  virtual std::string describe() const = 0;

  /// True for modes that leave out keys: a head in such a mode counts as sparse in MSR.
  virtual bool is_sparse() const = 0;

  /// Key ranges that query rows [q_start, q_start + rows) may see, before token causality. The one
  /// source of truth for kernels, sparsity ratios and tests. Modes whose choice depends on q and k
  /// estimate here, so that selection and attention are timed apart.
  virtual BlockMask block_mask(const AttentionInput& input,
                               std::span<const int> kv_heads) const = 0;

  /// Attention of the query heads that belong to `kv_heads` under `mask` (this mode's block_mask of
  /// the same input), written to their rows of out [heads_q, rows, head_dim]. A row with nothing
  /// visible gives 0. Same dtype as q. The default is masked_attention().
  virtual void forward(const AttentionInput& input, std::span<const int> kv_heads,
                       const BlockMask& mask, at::Tensor& out) const;

  /// Tokens that one decode step at position p reads under decode=sparse: [0, sink) and (p - local,
  /// p]. {0, 0} = everything (the mode has no cache to cut).
  struct DecodeWindow {
    std::int64_t sink = 0, local = 0;
  };
  virtual DecodeWindow decode_window() const { return {}; }
};

}  // namespace elastic::engine
