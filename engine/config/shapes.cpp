#include "engine/config/shapes.h"

#include <fmt/format.h>

#include <span>

#include "base/registry.h"

namespace elastic::engine {
namespace {

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

}  // namespace elastic::engine
