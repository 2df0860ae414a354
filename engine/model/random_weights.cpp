#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <span>

#include "base/error.h"
#include "base/registry.h"
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
  at::Tensor ones(std::int64_t size) const {
    return at::ones({size}, at::TensorOptions().dtype(dtype).device(device));
  }
};

LayerWeights random_layer(const Random& random, const ModelConfig& config) {
  const std::int64_t q_rows = config.heads_q * config.head_dim,
                     kv_rows = config.heads_kv * config.head_dim;
  LayerWeights w;
  w.input_norm = random.ones(config.hidden);
  w.post_norm = random.ones(config.hidden);
  w.qkv = random.normal({q_rows + 2 * kv_rows, config.hidden});
  if (config.qk_norm) w.q_norm = w.k_norm = random.ones(config.head_dim);
  w.o = random.normal({config.hidden, q_rows});
  w.gate_up = random.normal({2 * config.intermediate, config.hidden});
  w.down = random.normal({config.hidden, config.intermediate});
  return w;
}

RouterWeights random_router(const Random& random, std::int64_t d) {
  constexpr std::int64_t kExpansion = 4;
  const std::int64_t wide = kExpansion * d;
  RouterWeights router;
  router.task_up = random.normal({wide, d});
  router.task_up_bias = random.normal({wide});
  router.task_down = random.normal({d, wide});
  router.task_down_bias = random.normal({d});
  router.head_up = random.normal({wide, d});
  router.head_up_bias = random.normal({wide});
  router.head_down = random.normal({d, wide});
  router.head_down_bias = random.normal({d});
  router.logits = random.normal({2, d});
  router.logits_bias = random.normal({2});
  return router;
}

struct Shape {
  const char* name;
  const char* family;
  std::int64_t vocab, hidden, intermediate, layers, heads_q, heads_kv, head_dim, max_positions;
  double theta;
  bool tied;
};
constexpr Shape kShapes[] = {
    {"llama-3.1-8b", "llama", 128256, 4096, 14336, 32, 32, 8, 128, 131072, 5e5, false},
    {"qwen3-4b", "qwen3", 151936, 2560, 9728, 36, 32, 8, 128, 40960, 1e6, true},
    {"qwen3-8b", "qwen3", 151936, 4096, 12288, 36, 32, 8, 128, 40960, 1e6, false},
    {"tiny-4x8x64", "llama", 512, 512, 1408, 4, 8, 8, 64, 131072, 1e4, false},
};

}  // namespace

ModelConfig shape_config(const std::string& name) {
  const Shape& shape = find_entry(std::span<const Shape>(kShapes), "shape", name);
  ModelConfig config;
  config.architecture = fmt::format("random weights, shape {}", shape.name);
  config.family = shape.family;
  config.vocab = shape.vocab;
  config.hidden = shape.hidden;
  config.intermediate = shape.intermediate;
  config.layers = shape.layers;
  config.heads_q = shape.heads_q;
  config.heads_kv = shape.heads_kv;
  config.head_dim = shape.head_dim;
  config.max_positions = shape.max_positions;
  config.tied = shape.tied;
  config.qk_norm = config.family == "qwen3";
  config.dtype = "bf16";
  config.rope.theta = shape.theta;
  if (config.family == "llama" && shape.theta == 5e5) {  // Llama 3.1's own scaling
    config.rope.type = RopeType::kLlama3;
    config.rope.factor = 8;
    config.rope.original_max_positions = 8192;
  }
  return config;
}

DecoderWeights random_weights(const ModelConfig& config, at::ScalarType dtype, at::Device device,
                              std::uint64_t seed) {
  at::Generator generator = at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(seed);
  const Random random{dtype, device, generator};
  DecoderWeights weights;
  weights.config = config;
  weights.embedding = random.normal({config.vocab, config.hidden});
  weights.final_norm = random.ones(config.hidden);
  weights.lm_head = config.tied ? weights.embedding : random.normal({config.vocab, config.hidden});
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    weights.layers.push_back(random_layer(random, config));
    weights.routers.push_back(random_router(random, config.head_dim));
  }
  weights.parameters = count_parameters(weights);
  return weights;
}

}  // namespace elastic::engine
