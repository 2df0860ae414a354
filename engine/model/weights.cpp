#include "engine/model/weights.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"

namespace elastic::engine {
namespace {

struct Target {
  const Checkpoint& checkpoint;
  at::ScalarType dtype;
  at::Device device;

  mutable std::set<std::string> used;  // names that were loaded

  at::Tensor load(const std::string& name, at::IntArrayRef shape) const {
    used.insert(name);
    return checkpoint.load(name, shape, dtype, device);
  }
  at::Tensor load(const WeightSpec& spec) const {
    if (spec.parts.size() == 1) return load(spec.parts[0].name, spec.shape(spec.parts[0].rows));
    std::vector<at::Tensor> tensors;
    tensors.reserve(spec.parts.size());
    for (const WeightPart& part : spec.parts) {
      tensors.push_back(load(part.name, spec.shape(part.rows)));
    }
    return at::cat(tensors, 0);
  }
};

// Null for what lies outside the layers.
at::Tensor LayerWeights::*member(WeightField field) {
  switch (field) {
    case WeightField::kInputNorm:
      return &LayerWeights::input_norm;
    case WeightField::kPostNorm:
      return &LayerWeights::post_norm;
    case WeightField::kQkv:
      return &LayerWeights::qkv;
    case WeightField::kQkvBias:
      return &LayerWeights::qkv_bias;
    case WeightField::kQNorm:
      return &LayerWeights::q_norm;
    case WeightField::kKNorm:
      return &LayerWeights::k_norm;
    case WeightField::kO:
      return &LayerWeights::o;
    case WeightField::kOBias:
      return &LayerWeights::o_bias;
    case WeightField::kGateUp:
      return &LayerWeights::gate_up;
    case WeightField::kGateUpBias:
      return &LayerWeights::gate_up_bias;
    case WeightField::kDown:
      return &LayerWeights::down;
    case WeightField::kDownBias:
      return &LayerWeights::down_bias;
    case WeightField::kEmbedding:
    case WeightField::kFinalNorm:
    case WeightField::kLmHead:
      break;
  }
  return nullptr;
}

// What the config claims about its routers is compared with what the tensors are; the tensors win.
void check_router_config(const ModelConfig& config, const RouterWeights& router,
                         const std::string& where) {
  const RoutingConfig& routing = config.routing;
  const bool two_classes = router.logits.size(0) == 2;
  if (routing.pooling_mode && *routing.pooling_mode != "ctx_q") {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: `pooling_mode` is `{}`; routers are run with ctx_q only", where,
                            *routing.pooling_mode));
  }
  if (!routing.pooling_mode)
    log_warning(where + ": no `pooling_mode`; taking ctx_q (first and last 100 keys)");
  if (routing.use_softmax.value_or(!two_classes) != two_classes) {
    log_warning(fmt::format(
        "{}: `use_softmax` is {}, but the router tensors have {} output(s); the tensors decide",
        where, routing.use_softmax ? (*routing.use_softmax ? "true" : "false") : "absent",
        router.logits.size(0)));
  }
  if (!routing.enable_ada_sparsity.value_or(false)) {
    log_warning(where +
                ": `enable_ada_sparsity` is not true, but router tensors are there; using them");
  }
}

// One router a layer; `config_file`, of the folder, is what describes them.
std::vector<RouterWeights> load_routers(const Target& target, const ModelConfig& config,
                                        const char* config_file) {
  const std::string where = target.checkpoint.folder().string();
  std::vector<RouterWeights> routers;
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = router_prefix(layer);
    routers.push_back(load_router(where, [&](std::string_view name) {
      const std::string full = prefix + std::string(name);
      return target.load(full, target.checkpoint.shape(full));
    }));
    if (routers.back().task_up.size(1) != config.head_dim) {
      throw Error(
          ErrorKind::kCorrupt,
          fmt::format("{}: tensor `{}{}.weight` takes {} values, head_dim is {}", where, prefix,
                      kRouterLinears[0].stored, routers.back().task_up.size(1), config.head_dim));
    }
  }
  check_router_config(config, routers.front(), fmt::format("{}/{}", where, config_file));
  return routers;
}

// Those of the checkpoint itself, if it has any.
std::vector<RouterWeights> load_own_routers(const Target& target, const ModelConfig& config) {
  if (has_routers(target.checkpoint)) return load_routers(target, config, "config.json");
  if (config.routed_architecture) {
    log_warning(
        fmt::format("{}: architecture {} but no router tensors; routed modes are not available",
                    target.checkpoint.folder().string(), config.architecture));
  }
  return {};
}

std::string layer_tensor(std::int64_t layer, const std::string& name) {
  return fmt::format("model.layers.{}.{}", layer, name);
}

// Shapes of what NSA compresses with, as far as layer 0 has it; empty where it has not.
struct NsaShapes {
  std::vector<std::int64_t> compression, position;
};

// How many tokens become one, and whether by a linear map, is what the stored tensors say.
NsaShapes nsa_shapes(const Checkpoint& checkpoint, const ModelConfig& c) {
  const auto stored = [&](const std::string& name) {
    const std::string full = layer_tensor(0, name);
    return checkpoint.contains(full) ? &checkpoint.shape(full) : nullptr;
  };
  const auto* compress = stored(c.nsa.compress_key);
  if (compress == nullptr) compress = stored(c.nsa.compress_value);
  const auto* position = stored(c.nsa.intra_block_pe);
  const auto* sized = compress != nullptr ? compress : position;
  if (sized == nullptr) return {};
  const bool linear = compress != nullptr && compress->size() == 3;
  const std::int64_t extent = sized->size() < 2 ? 1 : (*sized)[1],
                     window = linear ? extent / c.head_dim : extent;
  NsaShapes shapes;
  if (position != nullptr) shapes.position = {c.heads_kv, window, c.head_dim};
  if (compress != nullptr) shapes.compression = {c.heads_kv, window};
  if (linear) shapes.compression = {c.heads_kv, window * c.head_dim, c.head_dim};
  return shapes;
}

// The tensors of NSA (sparse_attention spec 8.1), of every layer or of none.
std::vector<NsaWeights> load_nsa(const Target& target, const ModelConfig& c) {
  if (!has_nsa(target.checkpoint, c.nsa)) return {};
  const NsaShapes shapes = nsa_shapes(target.checkpoint, c);
  std::vector<NsaWeights> layers;
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    const auto load = [&](const std::string& name, at::IntArrayRef shape) -> at::Tensor {
      if (shape.empty()) return {};
      const std::string full = layer_tensor(layer, name);
      if (target.checkpoint.contains(full)) return target.load(full, shape);
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: there are tensors of NSA, but no `{}` [{}]; add it, or say in "
                              "`nsa_tensors` of config.json what it is called",
                              target.checkpoint.folder().string(), full,
                              fmt::join(shape.begin(), shape.end(), ", ")));
    };
    layers.push_back({.gate = load(c.nsa.gate, {3 * c.heads_q, c.hidden}),
                      .keys = load(c.nsa.compress_key, shapes.compression),
                      .values = load(c.nsa.compress_value, shapes.compression),
                      .position = load(c.nsa.intra_block_pe, shapes.position)});
  }
  return layers;
}

// The layer of "model.layers.LAYER...", -1 for other names.
std::int64_t layer_of(std::string_view name) {
  constexpr std::string_view kLayers = "model.layers.";
  if (!name.starts_with(kLayers)) return -1;
  name.remove_prefix(kLayers.size());
  return parse_int(name.substr(0, name.find('.'))).value_or(-1);
}

// A config that asks for fewer layers than there are makes another model of them, silently; other
// tensors that nothing reads are said.
void check_spare(const Target& target, const ModelConfig& config) {
  const std::string where = target.checkpoint.folder().string();
  std::vector<std::string> spare;
  for (const std::string& name : target.checkpoint.names()) {
    if (target.used.contains(name)) continue;
    if (layer_of(name) >= config.layers) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: tensor `{}` is stored, but the config has num_hidden_layers {}",
                              where, name, config.layers));
    }
    const bool tied_copy = config.tied && name == "lm_head.weight";
    if (!tied_copy && !name.ends_with("rotary_emb.inv_freq")) spare.push_back(name);
  }
  if (spare.empty()) return;
  log_warning(fmt::format("{}: {} tensor(s) that the model does not read: `{}`{}", where,
                          spare.size(), spare.front(), spare.size() > 1 ? ", ..." : ""));
}

}  // namespace

at::Tensor& tensor_of(DecoderWeights& weights, std::int64_t layer, WeightField field) {
  if (field == WeightField::kEmbedding) return weights.embedding;
  if (field == WeightField::kFinalNorm) return weights.final_norm;
  if (field == WeightField::kLmHead) return weights.lm_head;
  return weights.layers[static_cast<std::size_t>(layer)].*member(field);
}

bool has_routers(const Checkpoint& checkpoint) {
  return checkpoint.contains(
      fmt::format("{}{}.weight", router_prefix(0), kRouterLinears[0].stored));
}

bool has_nsa(const Checkpoint& checkpoint, const NsaTensorNames& names) {
  const auto has = [&](const std::string& name) {
    return checkpoint.contains(layer_tensor(0, name));
  };
  return has(names.gate) || has(names.compress_key) || has(names.compress_value) ||
         has(names.intra_block_pe);
}

std::int64_t count_parameters(const DecoderWeights& weights) {
  std::int64_t total = parameter_count(weights.config);
  for (const RouterWeights& router : weights.routers) total += parameter_count(router);
  for (const NsaWeights& nsa : weights.nsa) {
    for (const at::Tensor* tensor : {&nsa.gate, &nsa.keys, &nsa.values, &nsa.position}) {
      if (tensor->defined()) total += tensor->numel();
    }
  }
  return total;
}

DecoderWeights load_weights(const Checkpoint& checkpoint, const ModelConfig& config,
                            at::ScalarType dtype, at::Device device) {
  const Target target{checkpoint, dtype, device};
  DecoderWeights weights;
  weights.config = config;
  for_each_tensor(weights, [&](const WeightSpec& spec, at::Tensor& tensor) {
    stop_if_interrupted();
    tensor = target.load(spec);
  });
  weights.routers = load_own_routers(target, config);
  weights.nsa = load_nsa(target, config);
  check_spare(target, config);
  weights.parameters = count_parameters(weights);
  return weights;
}

void put_routers(DecoderWeights& weights, const RouterAdapter& adapter) {
  const Checkpoint checkpoint(adapter.folder, kAdapterWeights);
  const Target target{checkpoint, weights.embedding.scalar_type(), weights.embedding.device()};
  weights.config.routing = adapter.routing;
  weights.routers = load_routers(target, weights.config, kAdapterConfig);
  check_spare(target, weights.config);
  for (const RouterWeights& router : weights.routers) {
    const std::int64_t wide = router.task_up.size(0);
    if (wide == adapter.expansion * adapter.head_dim) continue;
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}/{}: `expansion` is {}, but the routers of {} are {} wide for a "
                            "head_dim of {}; the two files belong to different routers",
                            adapter.folder.string(), kAdapterConfig, adapter.expansion,
                            kAdapterWeights, wide, adapter.head_dim));
  }
  weights.parameters = count_parameters(weights);
}

}  // namespace elastic::engine
