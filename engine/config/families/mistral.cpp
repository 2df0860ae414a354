// Mistral 7B and Nemo: as Llama, without biases. The sliding window of the first release (v0.1) is
// not computed, so it is refused where it would hide keys.

#include <fmt/format.h>

#include "base/error.h"
#include "engine/config/registry.h"

namespace elastic::engine {

ModelConfig mistral_config(const JsonSource& source) {
  ModelConfig config = parse_common_config(source);
  config.tied = json_get_or<bool>(source, "tie_word_embeddings", false);
  config.qkv_bias = config.o_bias = config.mlp_bias = false;
  const auto window = source.object.find("sliding_window");
  if (window == source.object.end() || window->is_null()) return config;
  const auto tokens = json_get<std::int64_t>(source, "sliding_window");
  if (tokens < config.max_positions) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: `sliding_window` is {} of {} positions: sliding-window layers are "
                            "not supported",
                            source.source, tokens, config.max_positions));
  }
  return config;
}

}  // namespace elastic::engine
