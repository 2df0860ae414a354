#include "engine/cuda/dense_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/tensor.h>

#include <optional>
#include <tuple>
#include <vector>

namespace elastic::engine {
namespace {

// cuDNN builds a plan per shape: a tenth of a second. That pays for row counts which come back,
// whole prefill chunks, and for products that take milliseconds themselves (32 heads of 128 over
// 8192 x 8192); a small model never earns it back.
constexpr std::int64_t kPlanRows = 1024;
constexpr std::int64_t kPlanWork = std::int64_t{1} << 38;  // rows x keys x head_dim, all heads

struct PartialAttention {
  at::Tensor out;  // [1, heads_q, rows, head_dim]
  at::Tensor lse;  // fp32 [1, heads_q, rows], natural log-sum-exp of the scaled scores
};

PartialAttention cudnn(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                       bool causal) {
  auto result = at::_scaled_dot_product_cudnn_attention(q, k, v, std::nullopt, true, 0.0, causal,
                                                        false, scale);
  at::Tensor lse = std::get<1>(result);
  return {std::get<0>(result), lse.dim() == 4 ? lse.squeeze(-1) : lse};
}

// Flash wants [batch, rows, heads, head_dim] and aligns its causal mask to the last key, as we do.
at::Tensor flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const auto result = at::_flash_attention_forward(q.transpose(1, 2), k.transpose(1, 2),
                                                   v.transpose(1, 2), std::nullopt, std::nullopt,
                                                   q.size(2), k.size(2), 0.0, true, false, scale);
  return std::get<0>(result).transpose(1, 2);
}

// The mean of two attentions over disjoint keys, weighted by exp(lse).
at::Tensor merge(const PartialAttention& a, const PartialAttention& b) {
  const at::Tensor lse = at::logaddexp(a.lse, b.lse);
  const at::Tensor mean = a.out.to(at::kFloat).mul((a.lse - lse).exp_().unsqueeze(-1));
  mean.addcmul_(b.out.to(at::kFloat), (b.lse - lse).exp_().unsqueeze(-1));
  return mean.to(a.out.scalar_type());
}

// cuDNN aligns its causal mask to the first key, so rows that stand behind earlier keys are cut
// into the rectangle of those keys and their own square.
at::Tensor planned(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const std::int64_t rows = q.size(2), before = k.size(2) - rows;
  if (before == 0) return cudnn(q, k, v, scale, true).out;
  return merge(cudnn(q, k.narrow(2, before, rows), v.narrow(2, before, rows), scale, true),
               cudnn(q, k.narrow(2, 0, before), v.narrow(2, 0, before), scale, false));
}

// [1, heads, ...] of x [all heads, ...], a view where the heads are consecutive.
at::Tensor pick(const at::Tensor& x, const std::vector<std::int64_t>& heads) {
  const auto count = static_cast<std::int64_t>(heads.size());
  if (heads.back() - heads.front() + 1 == count) {
    return x.narrow(0, heads.front(), count).unsqueeze(0);
  }
  const at::Tensor index = at::tensor(heads, at::TensorOptions(at::kLong)).to(x.device());
  return x.index_select(0, index).unsqueeze(0);
}

}  // namespace

bool worth_a_plan(const AttentionInput& input) {
  return input.q.size(1) % kPlanRows == 0 && input.q_start % kPlanRows == 0 &&
         input.q.numel() * (input.q_start + input.q.size(1)) >= kPlanWork;
}

void dense_attention(const AttentionInput& input, std::span<const int> kv_heads, at::Tensor& out) {
  const std::int64_t group = input.q.size(0) / input.k.size(0);
  const std::int64_t keys = input.q_start + input.q.size(1);
  const std::vector<std::int64_t> kv(kv_heads.begin(), kv_heads.end());
  std::vector<std::int64_t> heads;
  for (const std::int64_t head : kv) {
    for (std::int64_t g = 0; g < group; ++g) heads.push_back(head * group + g);
  }
  const at::Tensor q = pick(input.q, heads), k = pick(input.k.narrow(1, 0, keys), kv),
                   v = pick(input.v.narrow(1, 0, keys), kv);
  const at::Tensor result =
      (worth_a_plan(input) ? planned(q, k, v, input.scale) : flash(q, k, v, input.scale))
          .squeeze(0);
  if (heads.back() - heads.front() + 1 == static_cast<std::int64_t>(heads.size())) {
    out.narrow(0, heads.front(), result.size(0)).copy_(result);
  } else {
    out.index_copy_(0, at::tensor(heads, at::TensorOptions(at::kLong)).to(out.device()), result);
  }
}

}  // namespace elastic::engine
