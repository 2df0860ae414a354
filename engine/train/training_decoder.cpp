#include "engine/train/training_decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>

#include <cmath>
#include <memory>
#include <vector>

#include "engine/router/router.h"
#include "engine/train/functions.h"
#include "engine/train/noise.h"
#include "engine/train/span_kernel.h"

namespace elastic::engine {
namespace {

// What all layers of one pass share; alive until its backward is through.
struct Context {
  ModelConfig config;
  PackedBatch batch;
  TrainingPass pass;
  at::Tensor cos, sin;  // [rows, 1, head_dim / 2]
  double scale;
  std::shared_ptr<std::vector<SpanResult>> kept;  // of each layer's full attention; may be null

  at::Tensor cast(const at::Tensor& x) const { return x.defined() ? x.to(pass.compute) : x; }
  at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) const {
    return at::linear(x, cast(weight), cast(bias));
  }
  at::Tensor norm(const at::Tensor& x, const at::Tensor& weight) const {
    return at::rms_norm(x, weight.sizes(), weight, config.rms_eps);
  }
};

// Logits, gates and soft gates of one layer's router.
struct Routing {
  at::Tensor gates;    // [documents, heads_kv]
  at::Tensor entropy;  // scalar
};

Routing route(const Context& c, const RouterWeights& router, const at::Tensor& keys,
              const at::Tensor& noise) {
  constexpr double kSmall = 1e-8;
  const at::Tensor pooled = pool_documents(keys, c.batch);
  const at::Tensor logits =
      router_logits(router, pooled.flatten(0, 1)).view({pooled.size(0), pooled.size(1), 2});
  const at::Tensor noisy = logits + noise;
  const at::Tensor soft = at::softmax(noisy / c.pass.tau, -1).select(-1, 1);
  const at::Tensor p = soft.detach();
  return {straight_through(soft, noisy.detach()), (p * at::log(p + kSmall)).mean().neg()};
}

// A layer's own: its place, weights, and what chooses for its heads, if anything does.
struct Layer {
  std::int64_t index;
  const LayerWeights& weights;
  const RouterWeights* router;
  at::Tensor noise;
  at::Tensor gates;  // [heads_kv] instead of a router

  bool chooses() const { return router != nullptr || gates.defined(); }
};

// KV heads of each document whose gate [documents, heads_kv] is not `closed`: those that get a
// gradient through it.
HeadsOfDocuments open_heads(const at::Tensor& gates, float closed) {
  HeadsOfDocuments open(static_cast<std::size_t>(gates.size(0)));
  const float* gate = gates.const_data_ptr<float>();
  for (std::vector<int>& heads : open) {
    for (int head = 0; head < gates.size(1); ++head) {
      if (*gate++ != closed) heads.push_back(head);
    }
  }
  return open;
}

at::Tensor attend(const Context& c, const Layer& layer, const at::Tensor& qkv, Routing& routing) {
  const LayerWeights& w = layer.weights;
  const ModelConfig& m = c.config;
  const std::int64_t rows = qkv.size(0), kv = m.heads_kv * m.head_dim;
  const std::vector<at::Tensor> parts = qkv.split_with_sizes({m.heads_q * m.head_dim, kv, kv}, 1);
  at::Tensor q = parts[0].view({rows, m.heads_q, m.head_dim});
  at::Tensor k = parts[1].view({rows, m.heads_kv, m.head_dim});
  const at::Tensor v = parts[2].view({rows, m.heads_kv, m.head_dim});
  if (m.qk_norm) {
    q = c.norm(q, c.cast(w.q_norm));
    k = c.norm(k, c.cast(w.k_norm));
  }
  if (layer.router != nullptr) routing = route(c, *layer.router, k, layer.noise);
  if (layer.gates.defined()) {
    routing.gates =
        layer.gates.unsqueeze(0).expand({std::ssize(c.batch.layout->tokens), m.heads_kv});
  }
  q = rotate_rows(q, c.cos, c.sin);
  k = rotate_rows(k, c.cos, c.sin);
  AttentionUse of_full, of_sparse;
  if (c.kept != nullptr) of_full.kept = &(*c.kept)[static_cast<std::size_t>(layer.index)];
  if (layer.chooses() && at::GradMode::is_enabled()) {
    const at::Tensor gates = routing.gates.detach().to(at::kCPU, at::kFloat).contiguous();
    of_full.gradients = open_heads(gates, 0);
    of_sparse.gradients = open_heads(gates, 1);
  }
  const at::Tensor full = full_attention(q, k, v, c.batch.layout, c.scale, of_full);
  if (!layer.chooses()) return full.flatten(1, 2);
  const at::Tensor sparse =
      sparse_attention(q, k, v, c.batch.layout, *c.pass.sparse, layer.index, c.scale, of_sparse);
  return mix_heads(full, sparse, routing.gates, c.batch.document).flatten(1, 2);
}

// {x after the layer} or {x, gates, entropy}.
std::vector<at::Tensor> run_layer(const Context& c, const Layer& layer, const at::Tensor& input) {
  const LayerWeights& w = layer.weights;
  Routing routing;
  const at::Tensor h = c.cast(c.norm(input, w.input_norm));
  const at::Tensor attended = attend(c, layer, c.linear(h, w.qkv, w.qkv_bias), routing);
  const at::Tensor x = input + c.linear(attended, w.o, w.o_bias);
  const at::Tensor g = c.linear(c.cast(c.norm(x, w.post_norm)), w.gate_up, w.gate_up_bias);
  const at::Tensor out = x + c.linear(gated_silu(g), w.down, w.down_bias);
  if (layer.router == nullptr) return {out};
  return {out, routing.gates, routing.entropy};
}

}  // namespace

at::Tensor pool_documents(const at::Tensor& keys, const PackedBatch& batch) {
  const at::Tensor rows = keys.index_select(0, batch.pool_rows);
  const auto type = keys.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::matmul(batch.pool_weights.to(type), rows.flatten(1, 2).to(type))
      .view({-1, keys.size(1), keys.size(2)})
      .to(keys.scalar_type());
}

at::Tensor gumbel_noise(at::IntArrayRef shape, std::uint64_t seed) {
  constexpr double kSmall = 1e-8;
  at::Tensor noise = at::empty(shape, at::TensorOptions(at::kFloat));
  const PlacedRandom random(seed);
  float* values = noise.data_ptr<float>();
  for (std::int64_t i = 0; i < noise.numel(); ++i) {
    const double u = random.uniform(static_cast<std::uint64_t>(i));
    values[i] = static_cast<float>(-std::log(-std::log(u + kSmall) + kSmall));
  }
  return noise;
}

TrainingForward forward_packed(const DecoderWeights& weights, RotaryTable& rotary,
                               const PackedBatch& batch, const TrainingPass& pass) {
  const ModelConfig& m = weights.config;
  rotary.reserve(batch.longest);
  const auto angles = [&](const at::Tensor& table) {
    return table.index_select(0, batch.positions).unsqueeze(1);
  };
  const auto context =
      std::make_shared<Context>(Context{m,
                                        batch,
                                        pass,
                                        angles(rotary.cos()),
                                        angles(rotary.sin()),
                                        1.0 / std::sqrt(static_cast<double>(m.head_dim)),
                                        {}});
  if (pass.recompute && pass.keep_attention) {
    context->kept = std::make_shared<std::vector<SpanResult>>(static_cast<std::size_t>(m.layers));
  }
  const bool routed = !weights.routers.empty(), gated = pass.head_gates.defined();
  at::Tensor x = at::embedding(weights.embedding, batch.ids);
  const at::Tensor& anchor = routed  ? weights.routers[0].logits_bias
                             : gated ? pass.head_gates
                                     : weights.final_norm;
  std::vector<at::Tensor> gates, entropies;
  for (std::int64_t layer = 0; layer < m.layers; ++layer) {
    const auto index = static_cast<std::size_t>(layer);
    const Layer own{layer, weights.layers[index], routed ? &weights.routers[index] : nullptr,
                    routed ? pass.noise.select(0, layer) : at::Tensor(),
                    gated ? pass.head_gates.select(0, layer) : at::Tensor()};
    const Segment segment = [context, own](const at::Tensor& input) {
      return run_layer(*context, own, input);
    };
    const std::vector<at::Tensor> result =
        pass.recompute ? recomputed(segment, x, anchor) : segment(x);
    x = result[0];
    if (routed) {
      gates.push_back(result[1]);
      entropies.push_back(result[2]);
    }
  }
  if (!routed) return {x, {}, {}};
  return {x, at::stack(gates), at::stack(entropies).mean().detach()};
}

}  // namespace elastic::engine
