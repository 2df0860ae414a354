#pragma once

// Every weight of a decoder: its place in DecoderWeights (engine/model/weights.h), what Hugging
// Face calls it, its shape, how a new one starts. The one list that loading, counting, random and
// initial weights, export, the optimizer and the memory estimate go through. Torch-free.
//
//   for (const WeightSpec& spec : layer_weight_specs(config, 0)) ...   // layers.0.qkv = q, k, v

#include <cstdint>
#include <string>
#include <vector>

#include "engine/config/model_config.h"

namespace elastic::engine {

enum class WeightField {
  kEmbedding,
  kFinalNorm,
  kLmHead,
  kInputNorm,
  kPostNorm,
  kQkv,
  kQkvBias,
  kQNorm,
  kKNorm,
  kO,
  kOBias,
  kGateUp,
  kGateUpBias,
  kDown,
  kDownBias,
};

/// What a weight does, and so where a new one starts.
enum class WeightRole { kEmbedding, kNorm, kLinear, kResidual, kBias };

/// Rows of a stacked weight under their own name in a checkpoint.
struct WeightPart {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  std::int64_t rows = 0;
};

struct WeightSpec {
  WeightField field{};
  WeightRole role{};
  std::string name;               // of state files: "layers.0.qkv"
  std::vector<WeightPart> parts;  // in order of their rows
  std::int64_t columns = 0;       // 0: a vector

  std::int64_t rows() const;
  std::int64_t elements() const;
  /// Of `rows` rows: [rows, columns], or [rows].
  std::vector<std::int64_t> shape(std::int64_t rows) const;
};

/// Embedding, final norm and, where it is not the embedding, the output head.
std::vector<WeightSpec> model_weight_specs(const ModelConfig& config);

/// Those of one layer that the config asks for (biases, q and k norms).
std::vector<WeightSpec> layer_weight_specs(const ModelConfig& config, std::int64_t layer);

/// Elements of all of them (a tied output head counts with the embedding); routers not included.
std::int64_t parameter_count(const ModelConfig& config);

/// Of the matrix products and norms of one layer.
std::int64_t layer_parameter_count(const ModelConfig& config);

}  // namespace elastic::engine
