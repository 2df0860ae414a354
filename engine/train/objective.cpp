#include "engine/train/objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/rms_norm.h>

#include "engine/train/row_loss.h"

namespace elastic::engine {

Objective objective(const DecoderWeights& weights, RotaryTable& rotary, const PackedBatch& batch,
                    const TrainingPass& pass, const Multipliers* multipliers, bool signed_form) {
  const TrainingForward f = forward_packed(weights, rotary, batch, pass);
  const at::Tensor rows = f.hidden.index_select(0, batch.loss_rows);
  const at::Tensor normed =
      at::rms_norm(rows, weights.final_norm.sizes(), weights.final_norm, weights.config.rms_eps);
  const auto exact = pass.compute == at::kDouble ? at::kDouble : at::kFloat;
  const RowLoss loss =
      row_loss(normed.to(pass.compute), weights.lm_head, batch.targets, batch.weights.to(exact));
  Objective o{loss.total,
              loss.total.detach(),
              (loss.each * batch.answer_weights.to(exact)).sum(),
              {},
              f.entropy};
  if (multipliers != nullptr) {
    o.regularization = regularize(*multipliers, f.gates, batch, signed_form);
    o.total = loss.total + o.regularization.total;
  }
  return o;
}

}  // namespace elastic::engine
