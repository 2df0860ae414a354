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

// Reads one Linear and checks that it maps `in` features (-1 = any) to `out` (-1 = any).
struct LinearShape {
  std::int64_t out = -1, in = -1;
};

struct LinearSource {
  std::string_view file;
  const std::function<at::Tensor(std::string_view)>& tensor;
};

void load_linear(const LinearSource& source, const std::string& name, const LinearShape& shape,
                 at::Tensor& weight, at::Tensor& bias) {
  const auto mismatch = [&](const std::string& what, const at::Tensor& found,
                            const std::string& wanted) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: router tensor mask_allocator.{} has shape [{}], expected {}",
                            source.file, what, fmt::join(found.sizes(), ", "), wanted));
  };
  const auto size = [](std::int64_t n) {
    return n < 0 ? std::string("any") : fmt::format("{}", n);
  };
  weight = source.tensor(name + ".weight");
  if (weight.dim() != 2 || (shape.out >= 0 && weight.size(0) != shape.out) ||
      (shape.in >= 0 && weight.size(1) != shape.in) || weight.numel() == 0) {
    mismatch(name + ".weight", weight, fmt::format("[{}, {}]", size(shape.out), size(shape.in)));
  }
  bias = source.tensor(name + ".bias");
  if (bias.dim() != 1 || bias.size(0) != weight.size(0)) {
    mismatch(name + ".bias", bias, fmt::format("[{}]", weight.size(0)));
  }
}

}  // namespace

RouterWeights load_router(std::string_view source,
                          const std::function<at::Tensor(std::string_view)>& tensor) {
  const LinearSource from{source, tensor};
  RouterWeights r;
  load_linear(from, "cls_feat_extractor.0", {}, r.task_up, r.task_up_bias);
  const std::int64_t dim = r.task_up.size(1);
  load_linear(from, "cls_feat_extractor.2", {dim, r.task_up.size(0)}, r.task_down,
              r.task_down_bias);
  load_linear(from, "cls_router_head_agnostic.0", {-1, dim}, r.head_up, r.head_up_bias);
  load_linear(from, "cls_router_head_agnostic.2", {dim, r.head_up.size(0)}, r.head_down,
              r.head_down_bias);
  load_linear(from, "cls_router_head_agnostic.4", {-1, dim}, r.logits, r.logits_bias);
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
  for (const at::Tensor* t :
       {&r.task_up, &r.task_up_bias, &r.task_down, &r.task_down_bias, &r.head_up, &r.head_up_bias,
        &r.head_down, &r.head_down_bias, &r.logits, &r.logits_bias}) {
    count += t->numel();
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

std::vector<std::uint8_t> sparse_heads(const at::Tensor& logits) {
  const at::Tensor values = logits.to(at::kCPU, at::kFloat).contiguous();
  const float* z = values.const_data_ptr<float>();  // [heads_kv, 2]
  std::vector<std::uint8_t> is_sparse;
  for (std::int64_t h = 0; h < values.size(0); ++h) {
    is_sparse.push_back(z[2 * h + 1] > z[2 * h] ? 0 : 1);
  }
  return is_sparse;
}

}  // namespace elastic::engine
