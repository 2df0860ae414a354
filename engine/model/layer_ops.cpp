#include "engine/model/layer_ops.h"

#include <ATen/Context.h>
#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/silu.h>

#include <optional>
#include <string_view>

#include "engine/device/step_kernels.h"
#include "engine/model/norm.h"

namespace elastic::engine {
namespace {

// silu(x[:, :n]) * x[:, n:]
at::Tensor gated(const at::Tensor& x, std::int64_t n) {
  const auto gate = step_kernels(x.device().type()).gate;
  if (gate != nullptr && x.scalar_type() == at::kBFloat16 && n % 8 == 0) {
    at::Tensor out = at::empty({x.size(0), n}, x.options());
    gate(x, out);
    return out;
  }
  at::Tensor out = at::silu(x.narrow(1, 0, n));
  return out.mul_(x.narrow(1, n, n));
}

using OneDnnLinear = at::Tensor(const at::Tensor& x, const at::Tensor& weight,
                                const std::optional<at::Tensor>& bias, std::string_view after,
                                c10::List<std::optional<at::Scalar>> scalars,
                                std::optional<std::string_view> algorithm);

// LibTorch's linear() calls MKL, which has kernels for AVX-512 on Intel's processors alone; oneDNN
// has them on all. Few rows are not worth its start.
bool runs_on_onednn(const at::Tensor& x) {
  constexpr std::int64_t kLeastRows = 16;
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.size(0) >= kLeastRows &&
         at::hasMKLDNN() && at::globalContext().userEnabledMkldnn();
}

}  // namespace

at::Tensor linear_rows(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!runs_on_onednn(x)) return at::linear(x, weight, bias);
  static const auto onednn = c10::Dispatcher::singleton()
                                 .findSchemaOrThrow("mkldnn::_linear_pointwise", "")
                                 .typed<OneDnnLinear>();
  const std::optional<at::Tensor> given = bias.defined() ? std::optional(bias) : std::nullopt;
  return onednn.call(x, weight, given, "none", c10::List<std::optional<at::Scalar>>(), "");
}

at::Tensor bias_rows(const at::Tensor& bias, std::int64_t start, std::int64_t rows) {
  return bias.defined() ? bias.narrow(0, start, rows) : bias;
}

void add_linear(at::Tensor& x, const at::Tensor& h, const at::Tensor& weight,
                const at::Tensor& bias) {
  if (runs_on_onednn(h)) {
    x.add_(linear_rows(h, weight, bias));
    return;
  }
  at::addmm_out(x, x, h, weight.t());
  if (bias.defined()) x.add_(bias);
}

void add_mlp(const LayerWeights& layer, const ModelConfig& config, at::Tensor& x) {
  const at::Tensor h = rms_norm(x, layer.post_norm, config.rms_eps);
  const at::Tensor gate_up = linear_rows(h, layer.gate_up, layer.gate_up_bias);
  add_linear(x, gated(gate_up, config.intermediate), layer.down, layer.down_bias);
}

at::Tensor split_heads(const at::Tensor& projected, std::int64_t heads, const at::Tensor& norm,
                       double eps) {
  const at::Tensor by_head = projected.view({projected.size(0), heads, projected.size(1) / heads});
  return norm.defined() ? rms_norm(by_head, norm, eps) : by_head;
}

ProjectedHeads project_heads(const at::Tensor& h, const LayerWeights& layer, const ModelConfig& c) {
  const std::int64_t q_rows = c.heads_q * c.head_dim, kv_rows = c.heads_kv * c.head_dim;
  const at::Tensor qkv = linear_rows(h, layer.qkv, layer.qkv_bias);
  return {.q = split_heads(qkv.narrow(1, 0, q_rows), c.heads_q, layer.q_norm, c.rms_eps),
          .k = split_heads(qkv.narrow(1, q_rows, kv_rows), c.heads_kv, layer.k_norm, c.rms_eps),
          .v = split_heads(qkv.narrow(1, q_rows + kv_rows, kv_rows), c.heads_kv, {}, 0)};
}

}  // namespace elastic::engine
