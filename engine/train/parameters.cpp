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

at::Tensor initial_tensor(const WeightSpec& spec, Normal& normal) {
  constexpr double kResidualGain = 0.5, kEmbeddingDeviation = 0.02;
  const std::vector<std::int64_t> shape = spec.shape(spec.rows());
  const auto options = at::TensorOptions(at::kFloat).device(normal.device);
  switch (spec.role) {
    case WeightRole::kNorm:
      return at::ones(shape, options);
    case WeightRole::kBias:
      return at::zeros(shape, options);
    case WeightRole::kEmbedding:
      return normal(shape, kEmbeddingDeviation);
    case WeightRole::kResidual:
      return normal.fan_in(shape, kResidualGain);
    case WeightRole::kLinear:
      break;
  }
  return normal.fan_in(shape);
}

RouterWeights initial_router(std::int64_t head_dim, const RouterOptions& options, Normal& normal) {
  constexpr double kSpecDeviation = 0.02, kWideGain = 1.4;
  RouterWeights router;
  for (const RouterLinear& linear : kRouterLinears) {
    const auto shape = router_linear_shape(linear, head_dim, options.expansion);
    const bool he = options.init == RouterInit::kHe && linear.weight != &RouterWeights::logits;
    router.*linear.weight = he ? normal.fan_in(shape, kWideGain) : normal(shape, kSpecDeviation);
    router.*linear.bias = at::zeros({shape[0]}, (router.*linear.weight).options());
  }
  return router;
}

// Replaces the tensor by a leaf of its own memory (loaded ones may be a read-only map).
void add_leaf(std::vector<Parameter>& list, const std::string& name, at::Tensor& tensor) {
  tensor = tensor.detach().clone().set_requires_grad(true);
  list.push_back({name, tensor});
}

}  // namespace

DecoderWeights initial_weights(const ModelConfig& config, std::uint64_t seed, at::Device device) {
  Normal normal(mix_seed({seed, 1}), device);
  DecoderWeights weights;
  weights.config = config;
  for_each_tensor(weights, [&](const WeightSpec& spec, at::Tensor& tensor) {
    tensor = initial_tensor(spec, normal);
  });
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
  for_each_tensor(weights, [&](const WeightSpec& spec, at::Tensor& tensor) {
    add_leaf(list, spec.name, tensor);
  });
  return list;
}

std::vector<Parameter> router_parameters(DecoderWeights& weights) {
  std::vector<Parameter> list;
  for (std::size_t i = 0; i < weights.routers.size(); ++i) {
    for (const RouterLinear& linear : kRouterLinears) {
      const std::string name = fmt::format("routers.{}.{}", i, linear.name);
      add_leaf(list, name, weights.routers[i].*linear.weight);
      add_leaf(list, name + "_bias", weights.routers[i].*linear.bias);
    }
  }
  return list;
}

}  // namespace elastic::engine
