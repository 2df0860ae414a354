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

#include "engine/config/model_config.h"
#include "engine/io/checkpoint.h"
#include "engine/router/router.h"

namespace elastic::engine {

struct LayerWeights {
  at::Tensor input_norm, post_norm;  // [hidden]
  at::Tensor qkv,
      qkv_bias;  // [(heads_q + 2 heads_kv) head_dim, hidden]; biases undefined where absent
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
  std::int64_t parameters = 0;
};

/// Throws kCorrupt naming file and tensor for a missing name, a wrong shape, a router of uneven
/// sizes, or a layer beyond those of the config; other tensors that nothing reads are a warning.
DecoderWeights load_weights(const Checkpoint& checkpoint, const ModelConfig& config,
                            at::ScalarType dtype, at::Device device);

/// Whether the checkpoint brings routers for its heads.
bool has_routers(const Checkpoint& checkpoint);

/// Every weight once (a tied output head counts with the embedding).
std::int64_t count_parameters(const DecoderWeights& weights);

/// Seeded normal weights (standard deviation 0.02, norms 1), made on the device: for speed
/// measurements at a published shape without its checkpoint. With routers of expansion 4.
DecoderWeights random_weights(const ModelConfig& config, at::ScalarType dtype, at::Device device,
                              std::uint64_t seed);

/// The shapes that random_weights() is asked for by name: llama-3.1-8b, qwen3-4b, qwen3-8b,
/// tiny-4x8x64. Throws kInvalidArgument with the known names.
ModelConfig shape_config(const std::string& name);

}  // namespace elastic::engine
