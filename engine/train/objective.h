#pragma once

// The scalar that a training step descends on, and the numbers worth a row in the curves.
//   L = L_lm + L_reg   (elastic_attention spec 4.1; of head gates: head_gates.h)

#include <ATen/core/Tensor.h>

#include "engine/train/head_gates.h"
#include "engine/train/regularizer.h"
#include "engine/train/training_decoder.h"

namespace elastic::engine {

struct Objective {
  at::Tensor total;               // scalar, differentiable
  at::Tensor lm, answer;          // L_lm; mean cross-entropy of answer tokens. No gradient
  Regularization regularization;  // undefined tensors without routers
  at::Tensor entropy;             // likewise
  // Gates that no prompt moves: what was sampled, and the leaf that stands for it in `total`. After
  // total.backward() the leaf's gradient goes on through `gates`.
  at::Tensor gates, gate_leaf;
};

/// `multipliers` null: no routers. Weights, batch and pass as forward_packed().
Objective objective(const DecoderWeights& weights, RotaryTable& rotary, const PackedBatch& batch,
                    const TrainingPass& pass, const Multipliers* multipliers, bool signed_form);

/// The same for head gates; pass.noise as for routers, of which the first document's is taken.
/// `multipliers` hold the step's own targets.
Objective head_objective(const DecoderWeights& weights, RotaryTable& rotary,
                         const PackedBatch& batch, TrainingPass pass, const HeadGates& heads,
                         const HeadOptions& options, const Multipliers& multipliers);

}  // namespace elastic::engine
