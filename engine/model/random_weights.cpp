#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>

#include "engine/model/weights.h"

namespace elastic::engine {
namespace {

struct Random {
  at::ScalarType dtype;
  at::Device device;
  at::Generator generator;

  at::Tensor normal(at::IntArrayRef shape) const {
    constexpr double kDeviation = 0.02;
    at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(dtype).device(device));
    return tensor.normal_(0, kDeviation, generator);
  }
  at::Tensor ones(at::IntArrayRef shape) const {
    return at::ones(shape, at::TensorOptions().dtype(dtype).device(device));
  }
};

RouterWeights random_router(const Random& random, std::int64_t head_dim) {
  constexpr std::int64_t kExpansion = 4;
  RouterWeights router;
  for (const RouterLinear& linear : kRouterLinears) {
    const auto shape = router_linear_shape(linear, head_dim, kExpansion);
    router.*linear.weight = random.normal(shape);
    router.*linear.bias = random.normal(shape[0]);
  }
  return router;
}

}  // namespace

DecoderWeights random_weights(const ModelConfig& config, at::ScalarType dtype, at::Device device,
                              std::uint64_t seed) {
  at::Generator generator = at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(seed);
  const Random random{dtype, device, generator};
  DecoderWeights weights;
  weights.config = config;
  for_each_tensor(weights, [&](const WeightSpec& spec, at::Tensor& tensor) {
    const std::vector<std::int64_t> shape = spec.shape(spec.rows());
    tensor = spec.role == WeightRole::kNorm ? random.ones(shape) : random.normal(shape);
  });
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    weights.routers.push_back(random_router(random, config.head_dim));
  }
  weights.parameters = count_parameters(weights);
  return weights;
}

}  // namespace elastic::engine
