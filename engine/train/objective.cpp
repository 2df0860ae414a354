#include "engine/train/objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/log.h>
#include <ATen/ops/rms_norm.h>

#include "engine/train/row_loss.h"

namespace elastic::engine {

namespace {

// Rows that carry loss after the final norm.
at::Tensor loss_rows(const DecoderWeights& weights, const TrainingForward& f,
                     const PackedBatch& batch) {
  return at::rms_norm(f.hidden.index_select(0, batch.loss_rows), weights.final_norm.sizes(),
                      weights.final_norm, weights.config.rms_eps);
}

// Sets o.lm and o.answer; returns the differentiable loss.
at::Tensor language_loss(const DecoderWeights& weights, const TrainingForward& f,
                         const PackedBatch& batch, at::ScalarType compute, Objective& o) {
  const auto exact = compute == at::kDouble ? at::kDouble : at::kFloat;
  const RowLoss loss = row_loss(loss_rows(weights, f, batch).to(compute), weights.lm_head,
                                batch.targets, batch.weights.to(exact));
  o.lm = loss.total.detach();
  o.answer = (loss.each * batch.answer_weights.to(exact)).sum();
  return loss.total;
}

// Mean squared distance of the rows to those of the dense model, weighted as a loss of tokens.
at::Tensor distillation_loss(const DecoderWeights& weights, RotaryTable& rotary,
                             const TrainingForward& f, const PackedBatch& batch,
                             const TrainingPass& pass, Objective& o) {
  at::Tensor dense;
  {
    const at::NoGradGuard off;
    dense =
        loss_rows(weights, forward_packed(weights, rotary, batch, {pass.compute, false}), batch);
  }
  const auto exact = pass.compute == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor each =
      (loss_rows(weights, f, batch).to(exact) - dense.to(exact)).square().mean(-1);
  const at::Tensor total = (each * batch.weights.to(exact)).sum();
  o.lm = total.detach();
  o.answer = (each.detach() * batch.answer_weights.to(exact)).sum();
  return total;
}

}  // namespace

Objective objective(const DecoderWeights& weights, RotaryTable& rotary, const PackedBatch& batch,
                    const TrainingPass& pass, const Multipliers* multipliers, bool signed_form) {
  const TrainingForward f = forward_packed(weights, rotary, batch, pass);
  Objective o;
  o.entropy = f.entropy;
  o.total = language_loss(weights, f, batch, pass.compute, o);
  if (multipliers != nullptr) {
    o.regularization = regularize(*multipliers, f.gates, batch, signed_form);
    o.total = o.total + o.regularization.total;
  }
  return o;
}

Objective head_objective(const DecoderWeights& weights, RotaryTable& rotary,
                         const PackedBatch& batch, TrainingPass pass, const HeadGates& heads,
                         const HeadOptions& options, const Multipliers& multipliers) {
  constexpr double kSmall = 1e-8;
  Objective o;
  o.gates = sample_gates(heads, pass.noise.select(1, 0));
  o.gate_leaf = o.gates.detach().set_requires_grad(true);
  pass.head_gates = o.gate_leaf;
  pass.noise.reset();
  const TrainingForward f = forward_packed(weights, rotary, batch, pass);
  const at::Tensor open = open_gates(heads);
  const std::int64_t documents = batch.task.size(0);
  o.regularization = regularize(
      multipliers, open.unsqueeze(1).expand({open.size(0), documents, open.size(1)}), batch, true);
  if (heads.method == HeadMethod::kDuo) {
    o.total = distillation_loss(weights, rotary, f, batch, pass, o);
    o.regularization.total = options.l1 * heads.values.abs().mean();
  } else {
    o.total = language_loss(weights, f, batch, pass.compute, o);
  }
  o.total = o.total + o.regularization.total;
  const at::Tensor p = open.detach().clamp(0, 1);
  o.entropy = (p * at::log(p + kSmall)).mean().neg();
  return o;
}

}  // namespace elastic::engine
