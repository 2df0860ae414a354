#include "engine/train/row_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace elastic::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kLogitBytes = std::int64_t{512} << 20;

std::int64_t rows_at_once(std::int64_t vocab, std::int64_t item) {
  constexpr std::int64_t kLeast = 256;
  return std::max(kLeast, kLogitBytes / (vocab * item));
}

struct BlockwiseLoss : torch::autograd::Function<BlockwiseLoss> {
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden,
                               const at::Tensor& lm_head, const at::Tensor& targets,
                               const at::Tensor& weights) {
    const std::int64_t rows = hidden.size(0);
    const at::Tensor head = lm_head.to(hidden.scalar_type());
    const std::int64_t step = rows_at_once(lm_head.size(0), weights.element_size());
    const bool wants_head = lm_head.requires_grad();
    at::Tensor each = at::empty({rows}, weights.options());
    at::Tensor d_hidden = at::empty(hidden.sizes(), hidden.options());
    at::Tensor d_head;
    if (wants_head) d_head = at::zeros(lm_head.sizes(), lm_head.options());
    for (std::int64_t start = 0; start < rows; start += step) {
      const std::int64_t count = std::min(step, rows - start);
      const at::Tensor x = hidden.narrow(0, start, count);
      const at::Tensor target = targets.narrow(0, start, count).unsqueeze(1);
      const at::Tensor weight = weights.narrow(0, start, count).unsqueeze(1);
      at::Tensor z = at::linear(x, head).to(weights.scalar_type());
      const at::Tensor sum = at::logsumexp(z, {1}, true);
      each.narrow(0, start, count).copy_((sum - z.gather(1, target)).squeeze(1));
      z.sub_(sum).exp_().mul_(weight).scatter_add_(1, target, -weight);  // w (softmax - one-hot)
      const at::Tensor d = z.to(hidden.scalar_type());
      d_hidden.narrow(0, start, count).copy_(at::matmul(d, head));
      if (wants_head) d_head.add_(at::matmul(d.t(), x));
    }
    context->save_for_backward({d_hidden, d_head});
    context->mark_non_differentiable({each});
    return {(each * weights).sum(), each};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor d_head = saved[1].defined() ? saved[1] * grads[0] : at::Tensor();
    return {saved[0] * grads[0].to(saved[0].scalar_type()), d_head, {}, {}};
  }
};

}  // namespace

RowLoss row_loss(const at::Tensor& hidden, const at::Tensor& lm_head, const at::Tensor& targets,
                 const at::Tensor& weights) {
  const variable_list result = BlockwiseLoss::apply(hidden, lm_head, targets, weights);
  return {result[0], result[1]};
}

}  // namespace elastic::engine
