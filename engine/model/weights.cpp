#include "engine/model/weights.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

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
  at::Tensor load_if(bool wanted, const std::string& name, at::IntArrayRef shape) const {
    return wanted ? load(name, shape) : at::Tensor();
  }
};

// Several projections of one input, stacked along their outputs.
struct Part {
  std::string name;
  std::int64_t rows = 0;
};

at::Tensor load_stacked(const Target& target, const std::vector<Part>& parts, std::int64_t inputs) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(parts.size());
  for (const Part& part : parts)
    tensors.push_back(target.load(part.name + ".weight", {part.rows, inputs}));
  return at::cat(tensors, 0);
}

at::Tensor load_stacked_bias(const Target& target, const std::vector<Part>& parts, bool wanted) {
  if (!wanted) return {};
  std::vector<at::Tensor> tensors;
  tensors.reserve(parts.size());
  for (const Part& part : parts) tensors.push_back(target.load(part.name + ".bias", {part.rows}));
  return at::cat(tensors, 0);
}

LayerWeights load_layer(const Target& target, const ModelConfig& config, std::int64_t layer) {
  const std::string prefix = fmt::format("model.layers.{}.", layer);
  const std::string attention = prefix + "self_attn.";
  const std::string mlp = prefix + "mlp.";
  const std::int64_t q_rows = config.heads_q * config.head_dim,
                     kv_rows = config.heads_kv * config.head_dim;
  const std::vector<Part> qkv = {{attention + "q_proj", q_rows},
                                 {attention + "k_proj", kv_rows},
                                 {attention + "v_proj", kv_rows}};
  const std::vector<Part> gate_up = {{mlp + "gate_proj", config.intermediate},
                                     {mlp + "up_proj", config.intermediate}};
  LayerWeights weights;
  weights.input_norm = target.load(prefix + "input_layernorm.weight", {config.hidden});
  weights.post_norm = target.load(prefix + "post_attention_layernorm.weight", {config.hidden});
  weights.qkv = load_stacked(target, qkv, config.hidden);
  weights.qkv_bias = load_stacked_bias(target, qkv, config.attention_bias);
  weights.q_norm = target.load_if(config.qk_norm, attention + "q_norm.weight", {config.head_dim});
  weights.k_norm = target.load_if(config.qk_norm, attention + "k_norm.weight", {config.head_dim});
  weights.o = target.load(attention + "o_proj.weight", {config.hidden, q_rows});
  weights.o_bias =
      target.load_if(config.attention_bias, attention + "o_proj.bias", {config.hidden});
  weights.gate_up = load_stacked(target, gate_up, config.hidden);
  weights.gate_up_bias = load_stacked_bias(target, gate_up, config.mlp_bias);
  weights.down = target.load(mlp + "down_proj.weight", {config.hidden, config.intermediate});
  weights.down_bias = target.load_if(config.mlp_bias, mlp + "down_proj.bias", {config.hidden});
  return weights;
}

std::int64_t numel(const at::Tensor& tensor) { return tensor.defined() ? tensor.numel() : 0; }

std::string router_prefix(std::int64_t layer) {
  return fmt::format("model.layers.{}.self_attn.mask_allocator.", layer);
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

constexpr std::string_view kFirst = "cls_feat_extractor.0.weight";

std::vector<RouterWeights> load_routers(const Target& target, const ModelConfig& config) {
  const std::string where = target.checkpoint.folder().string();
  std::vector<RouterWeights> routers;
  if (!has_routers(target.checkpoint)) {
    if (config.routed_architecture) {
      log_warning(
          fmt::format("{}: architecture {} but no router tensors; routed modes are not available",
                      where, config.architecture));
    }
    return routers;
  }
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = router_prefix(layer);
    routers.push_back(load_router(where, [&](std::string_view name) {
      const std::string full = prefix + std::string(name);
      return target.load(full, target.checkpoint.view(full).shape);
    }));
    if (routers.back().task_up.size(1) != config.head_dim) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: tensor `{}{}` takes {} values, head_dim is {}", where, prefix,
                              kFirst, routers.back().task_up.size(1), config.head_dim));
    }
  }
  check_router_config(config, routers.front(), where + "/config.json");
  return routers;
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
                  fmt::format("{}: tensor `{}` is stored, but config.json has num_hidden_layers {}",
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

bool has_routers(const Checkpoint& checkpoint) {
  return checkpoint.contains(router_prefix(0) + std::string(kFirst));
}

std::int64_t count_parameters(const DecoderWeights& weights) {
  std::int64_t total = numel(weights.embedding) + numel(weights.final_norm);
  if (!weights.config.tied) total += numel(weights.lm_head);
  for (const LayerWeights& layer : weights.layers) {
    for (const at::Tensor* tensor :
         {&layer.input_norm, &layer.post_norm, &layer.qkv, &layer.qkv_bias, &layer.q_norm,
          &layer.k_norm, &layer.o, &layer.o_bias, &layer.gate_up, &layer.gate_up_bias, &layer.down,
          &layer.down_bias}) {
      total += numel(*tensor);
    }
  }
  for (const RouterWeights& router : weights.routers) total += parameter_count(router);
  return total;
}

DecoderWeights load_weights(const Checkpoint& checkpoint, const ModelConfig& config,
                            at::ScalarType dtype, at::Device device) {
  const Target target{checkpoint, dtype, device};
  DecoderWeights weights;
  weights.config = config;
  weights.embedding = target.load("model.embed_tokens.weight", {config.vocab, config.hidden});
  weights.final_norm = target.load("model.norm.weight", {config.hidden});
  weights.lm_head = config.tied ? weights.embedding
                                : target.load("lm_head.weight", {config.vocab, config.hidden});
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    stop_if_interrupted();
    weights.layers.push_back(load_layer(target, config, layer));
  }
  weights.routers = load_routers(target, config);
  check_spare(target, config);
  weights.parameters = count_parameters(weights);
  return weights;
}

}  // namespace elastic::engine
