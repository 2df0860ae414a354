#pragma once

// All weights of a decoder as tensors of one dtype on one device. q, k and v projections lie in one
// matrix (rows in that order), gate and up projections likewise, so that a decode step makes two
// products fewer per layer.
//
//   DecoderWeights weights = load_weights(checkpoint, config, at::kFloat, at::kCPU);

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/attention/attention_plan.h"
#include "engine/config/model_config.h"
#include "engine/config/weight_specs.h"
#include "engine/io/checkpoint.h"
#include "engine/io/router_adapter.h"
#include "engine/router/router.h"

namespace elastic::engine {

struct LayerWeights {
  at::Tensor input_norm, post_norm;  // [hidden]
  // [(heads_q + 2 heads_kv) head_dim, hidden]; biases undefined where absent
  at::Tensor qkv, qkv_bias;
  at::Tensor q_norm, k_norm;         // [head_dim], undefined without qk_norm
  at::Tensor o, o_bias;              // [hidden, heads_q head_dim]
  at::Tensor gate_up, gate_up_bias;  // [2 intermediate, hidden]
  at::Tensor down, down_bias;        // [hidden, intermediate]
};

struct DecoderWeights {
  ModelConfig config;
  at::Tensor embedding;   // [vocab, hidden]
  at::Tensor final_norm;  // [hidden]
  at::Tensor lm_head;     // [vocab, hidden]; the embedding itself where tied
  std::vector<LayerWeights> layers;
  std::vector<RouterWeights> routers;  // one a layer, or none
  std::vector<NsaWeights> nsa;         // one a layer, or none
  std::int64_t parameters = 0;
};

/// The tensor that a weight of the list is.
at::Tensor& tensor_of(DecoderWeights& weights, std::int64_t layer, WeightField field);

/// f(spec, tensor) for every weight of the config once, layer by layer behind the model's own;
/// makes room for the layers. Routers are not among them (kRouterLinears).
template <typename F>
void for_each_tensor(DecoderWeights& weights, const F& f) {
  for (const WeightSpec& spec : model_weight_specs(weights.config)) {
    f(spec, tensor_of(weights, 0, spec.field));
  }
  weights.layers.resize(static_cast<std::size_t>(weights.config.layers));
  for (std::int64_t layer = 0; layer < weights.config.layers; ++layer) {
    for (const WeightSpec& spec : layer_weight_specs(weights.config, layer)) {
      f(spec, tensor_of(weights, layer, spec.field));
    }
  }
  if (weights.config.tied) weights.lm_head = weights.embedding;
}

/// Throws kCorrupt naming file and tensor for a missing name, a wrong shape, a router of uneven
/// sizes, or a layer beyond those of the config; other tensors that nothing reads are a warning.
DecoderWeights load_weights(const Checkpoint& checkpoint, const ModelConfig& config,
                            at::ScalarType dtype, at::Device device);

/// Puts an adapter's routers in the place of those that the weights have, if any, and its routing
/// in that of the config's. Throws kCorrupt as load_weights(), and where they are not of the width
/// that router.json names.
void put_routers(DecoderWeights& weights, const RouterAdapter& adapter);

/// Whether the checkpoint brings routers for its heads.
bool has_routers(const Checkpoint& checkpoint);

/// Whether it brings tensors of NSA.
bool has_nsa(const Checkpoint& checkpoint, const NsaTensorNames& names);

/// Every weight once (a tied output head counts with the embedding), routers and NSA included.
std::int64_t count_parameters(const DecoderWeights& weights);

/// Seeded normal weights (standard deviation 0.02, norms 1), made on the device: for speed
/// measurements at a published shape without its checkpoint. With routers of expansion 4.
DecoderWeights random_weights(const ModelConfig& config, at::ScalarType dtype, at::Device device,
                              std::uint64_t seed);

}  // namespace elastic::engine
