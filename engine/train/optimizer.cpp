#include "engine/train/optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

namespace elastic::engine {
namespace {

std::vector<at::Tensor> tensors_of(const std::vector<Parameter>& parameters) {
  std::vector<at::Tensor> list;
  for (const Parameter& p : parameters) list.push_back(p.tensor);
  return list;
}

}  // namespace

Optimizer::Optimizer(std::vector<ParameterGroup> groups, const OptimizerOptions& options)
    : groups_(std::move(groups)), options_(options) {
  const at::Tensor& any = groups_.front().parameters.front().tensor;
  steps_ = at::zeros({}, at::TensorOptions(at::kFloat).device(any.device()));
  for (const ParameterGroup& group : groups_) {
    Moments& m = moments_.emplace_back();
    for (const Parameter& p : group.parameters) {
      m.first.push_back(at::zeros_like(p.tensor).detach());
      m.second.push_back(at::zeros_like(p.tensor).detach());
    }
  }
}

std::vector<at::Tensor> Optimizer::gradients() {
  std::vector<at::Tensor> list;
  for (ParameterGroup& group : groups_) {
    for (Parameter& p : group.parameters) {
      at::Tensor& grad = p.tensor.mutable_grad();
      if (!grad.defined()) grad = at::zeros_like(p.tensor);
      list.push_back(grad);
    }
  }
  return list;
}

at::Tensor Optimizer::step(double factor) {
  const at::NoGradGuard off;
  const std::vector<at::Tensor> all = gradients();
  const at::Tensor norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(all)));
  constexpr double kSmall = 1e-6;
  const at::Tensor scale = (options_.clip / (norm + kSmall)).clamp_max(1.0);
  at::_foreach_mul_(all, scale);
  steps_.add_(1);
  std::size_t first = 0;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const ParameterGroup& group = groups_[g];
    Moments& m = moments_[g];
    if (group.parameters.empty()) continue;
    const std::vector<at::Tensor> parameters = tensors_of(group.parameters);
    const std::vector<at::Tensor> grads(
        all.begin() + static_cast<std::ptrdiff_t>(first),
        all.begin() + static_cast<std::ptrdiff_t>(first + parameters.size()));
    first += parameters.size();
    const std::vector<at::Tensor> steps(parameters.size(), steps_);
    at::_fused_adamw_(parameters, grads, m.first, m.second, {}, steps, group.lr * factor,
                      options_.beta1, options_.beta2, group.weight_decay, options_.eps, false,
                      group.ascend);
  }
  for (ParameterGroup& group : groups_) {
    for (Parameter& p : group.parameters) p.tensor.mutable_grad().reset();
  }
  return norm;
}

std::vector<Parameter> Optimizer::state() const {
  std::vector<Parameter> list;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (std::size_t i = 0; i < groups_[g].parameters.size(); ++i) {
      const Parameter& p = groups_[g].parameters[i];
      list.push_back({"master." + p.name, p.tensor});
      list.push_back({"adam.first." + p.name, moments_[g].first[i]});
      list.push_back({"adam.second." + p.name, moments_[g].second[i]});
    }
  }
  return list;
}

void Optimizer::set_steps(double steps) { steps_.fill_(steps); }

}  // namespace elastic::engine
