// Llama 2/3.x: no q/k norm, weights untied unless the config says otherwise.

#include "engine/config/registry.h"

namespace elastic::engine {

ModelConfig llama_config(const JsonSource& source) {
  ModelConfig config = parse_common_config(source);
  config.tied = json_get_or<bool>(source, "tie_word_embeddings", false);
  return config;
}

}  // namespace elastic::engine
