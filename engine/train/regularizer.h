#pragma once

// The Lagrangian that pulls every task's sparsity to its target (elastic_attention spec 4.1):
//   D_b = MSR_b - t_c(b),   reg_b = lambda1_c |D_b| + lambda2_c D_b^2   (signed: lambda1_c D_b)
//   L_reg = mean over the tasks present of (mean over the task's documents of reg_b)
// Router weights descend on it, the multipliers ascend.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/api/batch_source.h"
#include "engine/api/train_router.h"
#include "engine/train/packed_batch.h"

namespace elastic::engine {

struct Multipliers {
  at::Tensor lambda1, lambda2;  // fp32 [tasks], leaves
  at::Tensor targets;           // fp32 [tasks]
};

/// Throws kInvalidArgument naming a task whose target lies outside [0, 1].
Multipliers make_multipliers(const std::vector<TrainingTask>& tasks,
                             const RegularizerOptions& options, std::uint64_t seed,
                             at::Device device);

struct Regularization {
  at::Tensor total;     // scalar
  at::Tensor task_msr;  // [tasks], no gradient; 0 for tasks that are not in the batch
  at::Tensor msr;       // scalar, no gradient: mean over documents
};

/// gates [layers, documents, heads_kv], 1 = full.
Regularization regularize(const Multipliers& multipliers, const at::Tensor& gates,
                          const PackedBatch& batch, bool signed_form);

}  // namespace elastic::engine
