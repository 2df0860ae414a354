// Qwen2 and Qwen2.5 (dense): biases on q, k and v alone, whatever the config says; no q/k norm.

#include "engine/config/registry.h"

namespace elastic::engine {

ModelConfig qwen2_config(const JsonSource& source) {
  ModelConfig config = parse_common_config(source);
  config.tied = json_get_or<bool>(source, "tie_word_embeddings", false);
  config.qkv_bias = true;
  config.o_bias = config.mlp_bias = false;
  return config;
}

}  // namespace elastic::engine
