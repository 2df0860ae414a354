#pragma once

// Pieces of a decoder layer that prefill and decode share, in ATen operations and, where the device
// brings them, its own kernels.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/config/model_config.h"
#include "engine/model/weights.h"

namespace elastic::engine {

/// x w^T + bias of rows x [rows, in], without a gradient: many rows in fp32 on a CPU by oneDNN.
at::Tensor linear_rows(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// Rows [start, start + rows) of a stacked bias; undefined where there is none.
at::Tensor bias_rows(const at::Tensor& bias, std::int64_t start, std::int64_t rows);

/// x += h w^T + bias: where linear_rows() is linear(), without a pass of its own for the sum.
void add_linear(at::Tensor& x, const at::Tensor& h, const at::Tensor& weight,
                const at::Tensor& bias);

/// x += down(silu(gate(h)) * up(h)), h = norm(x); x [rows, hidden].
void add_mlp(const LayerWeights& layer, const ModelConfig& config, at::Tensor& x);

/// Projected rows [rows, heads * head_dim] as [rows, heads, head_dim], normed per head where the
/// family does so.
at::Tensor split_heads(const at::Tensor& projected, std::int64_t heads, const at::Tensor& norm,
                       double eps);

/// Queries, keys and values of normed rows h [rows, hidden] before RoPE, as split_heads() has them:
/// one product.
struct ProjectedHeads {
  at::Tensor q, k, v;  // [rows, heads_q or heads_kv, head_dim]
};
ProjectedHeads project_heads(const at::Tensor& h, const LayerWeights& layer,
                             const ModelConfig& config);

}  // namespace elastic::engine
