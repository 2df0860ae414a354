#include "engine/router/router.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>

#include "base/error.h"

namespace elastic::engine {
namespace {

// A linear map of a checkpoint: [out, in], -1 where any size will do.
struct LinearShape {
  std::int64_t out = -1, in = -1;
};

void check_linear(std::string_view source, const std::string& name, const LinearShape& shape,
                  const at::Tensor& weight, const at::Tensor& bias) {
  const auto mismatch = [&](const char* what, const at::Tensor& found, const std::string& wanted) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: router tensor mask_allocator.{}.{} has shape [{}], expected {}",
                            source, name, what, fmt::join(found.sizes(), ", "), wanted));
  };
  const auto size = [](std::int64_t n) {
    return n < 0 ? std::string("any") : fmt::format("{}", n);
  };
  if (weight.dim() != 2 || (shape.out >= 0 && weight.size(0) != shape.out) ||
      (shape.in >= 0 && weight.size(1) != shape.in) || weight.numel() == 0) {
    mismatch("weight", weight, fmt::format("[{}, {}]", size(shape.out), size(shape.in)));
  }
  if (bias.dim() != 1 || bias.size(0) != weight.size(0)) {
    mismatch("bias", bias, fmt::format("[{}]", weight.size(0)));
  }
}

}  // namespace

std::array<std::int64_t, 2> router_linear_shape(const RouterLinear& linear, std::int64_t dim,
                                                std::int64_t expansion) {
  const std::int64_t wide = expansion * dim;
  const std::int64_t narrow = linear.weight == &RouterWeights::logits ? 2 : dim;
  return {linear.wide_out ? wide : narrow, linear.wide_in ? wide : dim};
}

std::string router_prefix(std::int64_t layer) {
  return fmt::format("model.layers.{}.self_attn.mask_allocator.", layer);
}

RouterWeights load_router(std::string_view source,
                          const std::function<at::Tensor(std::string_view)>& tensor) {
  RouterWeights r;
  std::int64_t dim = -1, wide = -1;  // what each map takes and gives is known from those before it
  for (const RouterLinear& linear : kRouterLinears) {
    const std::string name = linear.stored;
    at::Tensor& weight = r.*linear.weight = tensor(name + ".weight");
    at::Tensor& bias = r.*linear.bias = tensor(name + ".bias");
    const bool classes = linear.weight == &RouterWeights::logits;
    check_linear(source, name, {linear.wide_out || classes ? -1 : dim, linear.wide_in ? wide : dim},
                 weight, bias);
    if (linear.wide_out) wide = weight.size(0);
    if (dim < 0) dim = weight.size(1);
  }
  if (r.logits.size(0) > 2) {
    throw Error(
        ErrorKind::kCorrupt,
        fmt::format("{}: router tensor mask_allocator.cls_router_head_agnostic.4.weight has {} "
                    "outputs, expected 2 (or 1)",
                    source, r.logits.size(0)));
  }
  return r;
}

std::int64_t parameter_count(const RouterWeights& r) {
  std::int64_t count = 0;
  for (const RouterLinear& linear : kRouterLinears) {
    count += (r.*linear.weight).numel() + (r.*linear.bias).numel();
  }
  return count;
}

at::Tensor task_features(const RouterWeights& r, const at::Tensor& pooled) {
  const at::Tensor x = pooled.to(r.task_up.scalar_type());
  return at::linear(at::silu(at::linear(x, r.task_up, r.task_up_bias)), r.task_down,
                    r.task_down_bias);
}

at::Tensor router_logits(const RouterWeights& r, const at::Tensor& pooled) {
  const at::Tensor task = task_features(r, pooled);
  const at::Tensor hidden = at::silu(at::linear(
      at::silu(at::linear(task, r.head_up, r.head_up_bias)), r.head_down, r.head_down_bias));
  const at::Tensor logits = at::linear(hidden, r.logits, r.logits_bias).to(at::kFloat);
  if (logits.size(1) == 2) return logits;
  return at::cat({at::zeros_like(logits), logits}, 1);  // sigmoid(z) > 0.5 <=> z > 0
}

at::Tensor sparse_heads(const at::Tensor& logits) {
  return logits.select(1, 1).gt(logits.select(1, 0)).logical_not().to(at::kByte);
}

}  // namespace elastic::engine
