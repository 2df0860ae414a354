#pragma once

// The scalar that a training step descends on, and the numbers worth a row in the curves.
//   L = L_lm + L_reg   (elastic_attention spec 4.1)

#include <ATen/core/Tensor.h>

#include "engine/train/regularizer.h"
#include "engine/train/training_decoder.h"

namespace elastic::engine {

struct Objective {
  at::Tensor total;               // scalar, differentiable
  at::Tensor lm, answer;          // L_lm; mean cross-entropy of answer tokens. No gradient
  Regularization regularization;  // undefined tensors without routers
  at::Tensor entropy;             // likewise
};

/// `multipliers` null: no routers. Weights, batch and pass as forward_packed().
Objective objective(const DecoderWeights& weights, RotaryTable& rotary, const PackedBatch& batch,
                    const TrainingPass& pass, const Multipliers* multipliers, bool signed_form);

}  // namespace elastic::engine
