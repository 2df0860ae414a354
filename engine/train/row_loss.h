#pragma once

// Cross-entropy of the rows that carry loss, logits of a block of rows at a time: a vocabulary of
// 128K over 64K rows would need 32 GiB of logits otherwise. Gradients of the inputs are made in the
// forward pass, block by block, so that no logits are computed twice.
//
//   const RowLoss loss = row_loss(hidden_rows, lm_head, targets, weights);   // sum_i w_i ce_i
//   loss.total.backward();

#include <ATen/core/Tensor.h>

namespace elastic::engine {

struct RowLoss {
  at::Tensor total;  // scalar, differentiable: sum of weight * cross-entropy
  at::Tensor each;   // fp32 [rows], no gradient
};

/// hidden [rows, n]; lm_head [vocab, n], multiplied in the dtype of hidden, its gradient in its
/// own; targets int64 [rows]; weights [rows], fp32 (fp64 for fp64 inputs).
RowLoss row_loss(const at::Tensor& hidden, const at::Tensor& lm_head, const at::Tensor& targets,
                 const at::Tensor& weights);

}  // namespace elastic::engine
