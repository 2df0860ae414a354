// LibTorch's own GPU attention behind DeviceAttention: cuDNN where a shape comes back often enough
// to be worth its plan, flash otherwise, the composed reference for what neither takes (fp32, masks
// that are no band).

#include <ATen/core/Tensor.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include <cmath>
#include <optional>

#include "engine/attention/band_attention.h"
#include "engine/attention/masked_attention.h"
#include "engine/device/cuda_interface.h"

namespace elastic::engine {
namespace {

// cuDNN, twice as fast as flash, builds a plan per shape: a tenth of a second. That pays for row
// counts which come back, whole prefill chunks, and for products that take milliseconds themselves
// (32 heads of 128 over 8192 x 8192); a small model never earns it back.
constexpr std::int64_t kPlanRows = 1024;
constexpr std::int64_t kPlanWork = std::int64_t{1} << 38;  // rows x keys x head_dim, all heads

bool worth_a_plan(const at::Tensor& q, const at::Tensor& k) {
  return q.size(0) == 1 && q.size(2) % kPlanRows == 0 && q.numel() * k.size(2) >= kPlanWork;
}

PartialAttention cudnn(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                       bool causal) {
  auto result = at::_scaled_dot_product_cudnn_attention(q, k, v, std::nullopt, true, 0.0, causal,
                                                        false, scale);
  at::Tensor lse = std::get<1>(result);
  return {std::get<0>(result), lse.dim() == 4 ? lse.squeeze(-1) : lse};
}

// Flash wants [batch, rows, heads, head_dim] and aligns its causal mask to the last key, as we do.
PartialAttention flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                       bool causal) {
  auto result = at::_flash_attention_forward(
      q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), std::nullopt, std::nullopt,
      q.size(2), k.size(2), 0.0, causal, false, scale, std::nullopt, std::nullopt, std::nullopt,
      std::nullopt);
  return {std::get<0>(result).transpose(1, 2), std::get<1>(result)};
}

// cuDNN aligns its causal mask to the first key, so rows that stand behind earlier keys are cut
// into the rectangle of those keys and their own square.
PartialAttention dense_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              double scale, bool causal) {
  const std::int64_t rows = q.size(2), before = k.size(2) - rows;
  if (!worth_a_plan(q, k)) return flash(q, k, v, scale, causal);
  if (!causal || before == 0) return cudnn(q, k, v, scale, causal);
  if (before % kPlanRows != 0) return flash(q, k, v, scale, causal);
  return merge_attention(
      cudnn(q, k.narrow(2, before, rows), v.narrow(2, before, rows), scale, true),
      cudnn(q, k.narrow(2, 0, before), v.narrow(2, 0, before), scale, false));
}

bool kernels_take(const at::Tensor& q) {  // [.., .., head_dim]
  return device_kernels_take(q.scalar_type(), q.size(2));
}

void dense(const AttentionInput& input, std::span<const int> kv_heads, at::Tensor& out) {
  if (kernels_take(input.q)) return causal_attention(input, kv_heads, dense_kernel, out);
  composed_attention(input, kv_heads, dense_mask(input.span()), out);
}

void masked(const AttentionInput& input, std::span<const int> kv_heads, const BlockMask& mask,
            at::Tensor& out) {
  const std::optional<Band> band = find_band(mask, input.span());
  if (band && kernels_take(input.q))
    return band_attention(*band, input, kv_heads, dense_kernel, out);
  composed_attention(input, kv_heads, mask, out);
}

// Flash splits the keys of a single row over the whole GPU and needs no plan. LibTorch's own choice
// for these shapes, cuDNN, plans every number of keys anew: tens of milliseconds a token.
at::Tensor decode(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const double scale = 1 / std::sqrt(static_cast<double>(q.size(2)));
  if (!kernels_take(q)) {
    return at::scaled_dot_product_attention(q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0),
                                            std::nullopt, 0.0, false, scale)
        .squeeze(0);
  }
  // [batch, heads, rows, head_dim]: query head kv * group + g is the g-th of KV head kv.
  const at::Tensor row = q.reshape({1, q.size(0) * q.size(1), 1, q.size(2)});
  return flash(row, k.unsqueeze(0), v.unsqueeze(0), scale, false).out.reshape(q.sizes());
}

}  // namespace

extern "C" void elastic_cuda_install(DeviceAttention& table) {
  table.dense = dense;
  table.masked = masked;
  table.decode = decode;
}

}  // namespace elastic::engine
