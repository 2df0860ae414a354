// Qwen3 (dense): per-head RMS norm on q and k before RoPE; head_dim is a key of its own (128 where
// absent, not hidden / heads).

#include "engine/config/registry.h"

namespace elastic::engine {

ModelConfig qwen3_config(const JsonSource& source) {
  constexpr std::int64_t kDefaultHeadDim = 128;
  Json completed = source.object;
  if (!completed.contains("head_dim") || completed["head_dim"].is_null())
    completed["head_dim"] = kDefaultHeadDim;
  ModelConfig config = parse_common_config({completed, source.source});
  config.tied = json_get_or<bool>(source, "tie_word_embeddings", false);
  config.qk_norm = true;
  return config;
}

}  // namespace elastic::engine
