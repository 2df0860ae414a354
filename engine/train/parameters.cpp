#include "engine/train/parameters.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "engine/train/noise.h"

namespace elastic::engine {
namespace {

struct Normal {
  at::Generator generator;
  at::Device device;

  Normal(std::uint64_t seed, at::Device where)
      : generator(at::globalContext().defaultGenerator(at::kCPU).clone()), device(where) {
    generator.set_current_seed(seed);
  }
  at::Tensor operator()(at::IntArrayRef shape, double deviation) {
    at::Tensor tensor = at::empty(shape, at::TensorOptions(at::kFloat));
    return tensor.normal_(0, deviation, generator).to(device);
  }
  at::Tensor fan_in(at::IntArrayRef shape, double gain = 1) {
    return (*this)(shape, gain / std::sqrt(static_cast<double>(shape[1])));
  }
};

at::Tensor ones(std::int64_t size, at::Device device) {
  return at::ones({size}, at::TensorOptions(at::kFloat).device(device));
}

at::Tensor zeros(std::int64_t size, at::Device device) {
  return at::zeros({size}, at::TensorOptions(at::kFloat).device(device));
}

LayerWeights initial_layer(const ModelConfig& c, Normal& normal) {
  constexpr double kResidualGain = 0.5;
  const std::int64_t q_rows = c.heads_q * c.head_dim, kv_rows = c.heads_kv * c.head_dim;
  LayerWeights w;
  w.input_norm = ones(c.hidden, normal.device);
  w.post_norm = ones(c.hidden, normal.device);
  w.qkv = normal.fan_in({q_rows + 2 * kv_rows, c.hidden});
  if (c.qk_norm) {
    w.q_norm = ones(c.head_dim, normal.device);
    w.k_norm = ones(c.head_dim, normal.device);
  }
  w.o = normal.fan_in({c.hidden, q_rows}, kResidualGain);
  w.gate_up = normal.fan_in({2 * c.intermediate, c.hidden});
  w.down = normal.fan_in({c.hidden, c.intermediate}, kResidualGain);
  if (c.attention_bias) {
    w.qkv_bias = zeros(q_rows + 2 * kv_rows, normal.device);
    w.o_bias = zeros(c.hidden, normal.device);
  }
  if (c.mlp_bias) {
    w.gate_up_bias = zeros(2 * c.intermediate, normal.device);
    w.down_bias = zeros(c.hidden, normal.device);
  }
  return w;
}

RouterWeights initial_router(std::int64_t d, const RouterOptions& options, Normal& normal) {
  constexpr double kSpecDeviation = 0.02, kWideGain = 1.4;
  const std::int64_t wide = options.expansion * d;
  const bool is_wide = options.init == "he";
  const auto linear = [&](std::int64_t out, std::int64_t in) {
    return is_wide ? normal.fan_in({out, in}, kWideGain) : normal({out, in}, kSpecDeviation);
  };
  RouterWeights r;
  r.task_up = linear(wide, d);
  r.task_up_bias = zeros(wide, normal.device);
  r.task_down = linear(d, wide);
  r.task_down_bias = zeros(d, normal.device);
  r.head_up = linear(wide, d);
  r.head_up_bias = zeros(wide, normal.device);
  r.head_down = linear(d, wide);
  r.head_down_bias = zeros(d, normal.device);
  r.logits = normal({2, d}, kSpecDeviation);
  r.logits_bias = zeros(2, normal.device);
  return r;
}

// Replaces the tensor by a leaf of its own memory (loaded ones may be a read-only map).
void add_leaf(std::vector<Parameter>& list, const std::string& name, at::Tensor& tensor) {
  if (!tensor.defined()) return;
  tensor = tensor.detach().clone().set_requires_grad(true);
  list.push_back({name, tensor});
}

}  // namespace

DecoderWeights initial_weights(const ModelConfig& config, std::uint64_t seed, at::Device device) {
  constexpr double kEmbeddingDeviation = 0.02;
  Normal normal(mix_seed({seed, 1}), device);
  DecoderWeights weights;
  weights.config = config;
  weights.embedding = normal({config.vocab, config.hidden}, kEmbeddingDeviation);
  weights.final_norm = ones(config.hidden, device);
  weights.lm_head = config.tied ? weights.embedding : normal.fan_in({config.vocab, config.hidden});
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    weights.layers.push_back(initial_layer(config, normal));
  }
  weights.parameters = count_parameters(weights);
  return weights;
}

void add_routers(DecoderWeights& weights, const RouterOptions& options, std::uint64_t seed) {
  Normal normal(mix_seed({seed, 2}), weights.embedding.device());
  weights.routers.clear();
  for (std::int64_t layer = 0; layer < weights.config.layers; ++layer) {
    weights.routers.push_back(initial_router(weights.config.head_dim, options, normal));
  }
  weights.parameters = count_parameters(weights);
}

std::vector<Parameter> backbone_parameters(DecoderWeights& weights) {
  std::vector<Parameter> list;
  add_leaf(list, "embedding", weights.embedding);
  add_leaf(list, "final_norm", weights.final_norm);
  if (weights.config.tied) {
    weights.lm_head = weights.embedding;
  } else {
    add_leaf(list, "lm_head", weights.lm_head);
  }
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    LayerWeights& w = weights.layers[i];
    const auto add = [&](const char* name, at::Tensor& tensor) {
      add_leaf(list, fmt::format("layers.{}.{}", i, name), tensor);
    };
    add("input_norm", w.input_norm);
    add("post_norm", w.post_norm);
    add("qkv", w.qkv);
    add("qkv_bias", w.qkv_bias);
    add("q_norm", w.q_norm);
    add("k_norm", w.k_norm);
    add("o", w.o);
    add("o_bias", w.o_bias);
    add("gate_up", w.gate_up);
    add("gate_up_bias", w.gate_up_bias);
    add("down", w.down);
    add("down_bias", w.down_bias);
  }
  return list;
}

std::vector<Parameter> router_parameters(DecoderWeights& weights) {
  std::vector<Parameter> list;
  for (std::size_t i = 0; i < weights.routers.size(); ++i) {
    RouterWeights& r = weights.routers[i];
    const auto add = [&](const char* name, at::Tensor& tensor) {
      add_leaf(list, fmt::format("routers.{}.{}", i, name), tensor);
    };
    add("task_up", r.task_up);
    add("task_up_bias", r.task_up_bias);
    add("task_down", r.task_down);
    add("task_down_bias", r.task_down_bias);
    add("head_up", r.head_up);
    add("head_up_bias", r.head_up_bias);
    add("head_down", r.head_down);
    add("head_down_bias", r.head_down_bias);
    add("logits", r.logits);
    add("logits_bias", r.logits_bias);
  }
  return list;
}

}  // namespace elastic::engine
