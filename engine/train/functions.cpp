#include "engine/train/functions.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace elastic::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// out_a = a cos - b sin, out_b = b cos + a sin; the inverse turn for direction -1.
at::Tensor turn(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, int direction) {
  const std::int64_t half = x.size(2) / 2;
  at::Tensor out = at::empty(x.sizes(), x.options());
  const at::Tensor a = x.narrow(2, 0, half), b = x.narrow(2, half, half);
  at::Tensor first = out.narrow(2, 0, half), second = out.narrow(2, half, half);
  at::mul_out(first, a, cos).addcmul_(b, sin, -direction);
  at::mul_out(second, b, cos).addcmul_(a, sin, direction);
  return out;
}

struct Rotation : torch::autograd::Function<Rotation> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return turn(x, cos, sin, 1);
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    return {turn(grads[0], saved[0], saved[1], -1), {}, {}};
  }
};

struct GatedSilu : torch::autograd::Function<GatedSilu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate_up) {
    context->save_for_backward({gate_up});
    const std::int64_t n = gate_up.size(1) / 2;
    return at::silu(gate_up.narrow(1, 0, n)).mul_(gate_up.narrow(1, n, n));
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const at::Tensor gate_up = context->get_saved_variables()[0];
    const std::int64_t n = gate_up.size(1) / 2;
    const at::Tensor gate = gate_up.narrow(1, 0, n), up = gate_up.narrow(1, n, n);
    at::Tensor out = at::empty(gate_up.sizes(), gate_up.options());
    at::Tensor d_gate = out.narrow(1, 0, n), d_up = out.narrow(1, n, n);
    at::mul_out(d_up, grads[0], at::silu(gate));
    at::silu_backward_out(d_gate, at::mul(grads[0], up), gate);
    return {out};
  }
};

struct StraightThrough : torch::autograd::Function<StraightThrough> {
  static at::Tensor forward(AutogradContext*, const at::Tensor& soft, const at::Tensor& logits) {
    return logits.select(-1, 1).gt(logits.select(-1, 0)).to(soft.scalar_type());
  }
  static variable_list backward(AutogradContext*, const variable_list& grads) {
    return {grads[0], {}};
  }
};

// gate [documents, heads_kv] for rows of q heads: [rows, heads_kv, 1, 1].
at::Tensor row_gate(const at::Tensor& gate, const at::Tensor& document, at::ScalarType type) {
  return gate.to(type).index_select(0, document).unsqueeze(-1).unsqueeze(-1);
}

struct MixHeads : torch::autograd::Function<MixHeads> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& full,
                            const at::Tensor& sparse, const at::Tensor& gate,
                            const at::Tensor& document) {
    context->save_for_backward({full, sparse, gate, document});
    const std::int64_t kv = gate.size(1);
    return at::lerp(sparse.unflatten(1, {kv, -1}), full.unflatten(1, {kv, -1}),
                    row_gate(gate, document, full.scalar_type()))
        .flatten(1, 2);
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &full = saved[0], &sparse = saved[1], &gate = saved[2], &document = saved[3];
    const std::int64_t kv = gate.size(1);
    const at::Tensor g = grads[0].unflatten(1, {kv, -1});
    const at::Tensor d_full = (g * row_gate(gate, document, full.scalar_type())).flatten(1, 2);
    const at::Tensor d_sparse = grads[0] - d_full;
    const at::Tensor by_row = (full - sparse)
                                  .mul_(grads[0])
                                  .unflatten(1, {kv, -1})
                                  .sum({2, 3}, false, gate.scalar_type());
    at::Tensor d_gate = at::zeros(gate.sizes(), gate.options());
    d_gate.index_add_(0, document, by_row);
    return {d_full, d_sparse, d_gate, {}};
  }
};

struct SegmentHolder : torch::CustomClassHolder {
  explicit SegmentHolder(Segment s) : segment(std::move(s)) {}
  Segment segment;
};

struct Recompute : torch::autograd::Function<Recompute> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x, const at::Tensor&,
                               const Segment& segment) {
    context->save_for_backward({x});
    context->saved_data["segment"] =
        c10::IValue::make_capsule(c10::make_intrusive<SegmentHolder>(segment));
    const at::NoGradGuard off;
    return segment(x);
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto holder = c10::static_intrusive_pointer_cast<SegmentHolder>(
        context->saved_data["segment"].toCapsule());
    const at::Tensor saved = context->get_saved_variables()[0];
    const at::Tensor x = saved.detach().set_requires_grad(saved.requires_grad());
    variable_list outputs, seeds;
    {
      const at::AutoGradMode on(true);
      const variable_list all = holder->segment(x);
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (!all[i].requires_grad() || !grads[i].defined()) continue;
        outputs.push_back(all[i]);
        seeds.push_back(grads[i]);
      }
    }
    if (!outputs.empty()) torch::autograd::backward(outputs, seeds);
    return {saved.requires_grad() ? x.grad() : at::Tensor(), {}, {}};
  }
};

}  // namespace

at::Tensor rotate_rows(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  return Rotation::apply(x, cos, sin);
}

at::Tensor gated_silu(const at::Tensor& gate_up) { return GatedSilu::apply(gate_up); }

at::Tensor straight_through(const at::Tensor& soft, const at::Tensor& logits) {
  return StraightThrough::apply(soft, logits);
}

at::Tensor mix_heads(const at::Tensor& full, const at::Tensor& sparse, const at::Tensor& gate,
                     const at::Tensor& document) {
  return MixHeads::apply(full, sparse, gate, document);
}

std::vector<at::Tensor> recomputed(const Segment& segment, const at::Tensor& x,
                                   const at::Tensor& anchor) {
  return Recompute::apply(x, anchor, segment);
}

}  // namespace elastic::engine
