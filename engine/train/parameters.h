#pragma once

// The decoder's weights as things to train: their names, where they start, and the released format
// they end in.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/api/train_router.h"
#include "engine/attention/head_mode.h"
#include "engine/io/safetensors.h"
#include "engine/model/weights.h"

namespace elastic::engine {

struct Parameter {
  std::string name;   // of the state file: "layers.0.qkv", "routers.3.head_up"
  at::Tensor tensor;  // leaf that asks for its gradient
};

/// Backbone weights of a new model: N(0, 1/sqrt(fan_in)), half of it for projections that add to
/// the residual stream, 0.02 for embeddings, norms 1. Drawn on the CPU: equal on every device.
DecoderWeights initial_weights(const ModelConfig& config, std::uint64_t seed, at::Device device);

/// One new router a layer in weights.routers, fp32, as options.init says.
void add_routers(DecoderWeights& weights, const RouterOptions& options, std::uint64_t seed);

/// Every tensor of the backbone, or of the routers, made a leaf that asks for its gradient.
std::vector<Parameter> backbone_parameters(DecoderWeights& weights);
std::vector<Parameter> router_parameters(DecoderWeights& weights);

/// A contiguous tensor of the host as it goes into a file; the view points into it.
TensorView file_view(const std::string& name, const at::Tensor& host);

/// The dtype that a config names for its weights; bf16 where it names none.
at::ScalarType stored_type(const ModelConfig& config);

/// A Hugging Face folder in the released format: model.safetensors (backbone in the dtype that the
/// config names, routers fp32), config.json, tokenizer files of `tokenizer`.
/// Each file is replaced whole.
void export_model(DecoderWeights weights, const std::string& config_json,
                  const std::filesystem::path& tokenizer, const std::filesystem::path& folder);

/// The routers alone, bf16, and the router.json that `adapter` describes them by; `routing` and
/// `training` as router_adapter_json(). Each file is replaced whole.
void export_routers(const std::vector<RouterWeights>& routers, const RouterAdapter& adapter,
                    const Json& routing, const Json& training);

/// What a config says of routers, under the released names and ours.
Json routing_keys(const RouterOptions& options, const HeadMode& sparse);

/// The config of a routed checkpoint: class name and routing keys added to the backbone's.
std::string routed_config(const std::string& config_json, const std::string& source,
                          const RouterOptions& options, const HeadMode& sparse);

}  // namespace elastic::engine
