#pragma once

// The shape of a model that random weights fill in a moment, with heads that GPU kernels take.

#include "engine/config/model_config.h"

namespace elastic::testing {

inline engine::ModelConfig small_config(std::int64_t layers) {
  engine::ModelConfig config;
  config.family = "llama";
  config.layers = layers;
  config.hidden = 256;
  config.intermediate = 512;
  config.heads_q = 8;
  config.heads_kv = 4;
  config.head_dim = 64;
  config.vocab = 512;
  config.max_positions = 8192;
  return config;
}

}  // namespace elastic::testing
