#include "engine/config/weight_specs.h"

#include <fmt/format.h>

#include <algorithm>

namespace elastic::engine {
namespace {

// A projection as the checkpoint stores it: NAME.weight, and NAME.bias where the config has one.
struct Projection {
  const char* name;
  std::int64_t rows = 0;
};

class LayerSpecs {
 public:
  explicit LayerSpecs(std::int64_t layer)
      : name_(fmt::format("layers.{}.", layer)), stored_(fmt::format("model.layers.{}.", layer)) {}

  void add_norm(WeightField field, const char* name, const char* stored, std::int64_t size) {
    specs_.push_back(
        {field, WeightRole::kNorm, name_ + name, {{stored_ + stored + ".weight", size}}, 0});
  }

  // Projections of one input, stacked along their outputs.
  void add_linear(WeightField field, WeightRole role, const char* name,
                  const std::vector<Projection>& projections, std::int64_t inputs) {
    specs_.push_back({field, role, name_ + name, parts(projections, ".weight"), inputs});
  }
  void add_bias(bool wanted, WeightField field, const char* name,
                const std::vector<Projection>& projections) {
    if (!wanted) return;
    specs_.push_back({field, WeightRole::kBias, name_ + name, parts(projections, ".bias"), 0});
  }

  std::vector<WeightSpec> take() { return std::move(specs_); }

 private:
  std::vector<WeightPart> parts(const std::vector<Projection>& projections,
                                const char* ending) const {
    std::vector<WeightPart> parts;
    parts.reserve(projections.size());
    for (const Projection& p : projections) parts.push_back({stored_ + p.name + ending, p.rows});
    return parts;
  }

  std::string name_, stored_;
  std::vector<WeightSpec> specs_;
};

std::int64_t count(const std::vector<WeightSpec>& specs) {
  std::int64_t total = 0;
  for (const WeightSpec& spec : specs) total += spec.elements();
  return total;
}

}  // namespace

std::int64_t WeightSpec::rows() const {
  std::int64_t total = 0;
  for (const WeightPart& part : parts) total += part.rows;
  return total;
}

std::int64_t WeightSpec::elements() const { return rows() * std::max<std::int64_t>(columns, 1); }

std::vector<std::int64_t> WeightSpec::shape(std::int64_t rows) const {
  return columns > 0 ? std::vector<std::int64_t>{rows, columns} : std::vector<std::int64_t>{rows};
}

std::vector<WeightSpec> model_weight_specs(const ModelConfig& c) {
  std::vector<WeightSpec> specs = {
      {WeightField::kEmbedding,
       WeightRole::kEmbedding,
       "embedding",
       {{"model.embed_tokens.weight", c.vocab}},
       c.hidden},
      {WeightField::kFinalNorm,
       WeightRole::kNorm,
       "final_norm",
       {{"model.norm.weight", c.hidden}},
       0},
  };
  if (!c.tied) {
    specs.push_back({WeightField::kLmHead,
                     WeightRole::kLinear,
                     "lm_head",
                     {{"lm_head.weight", c.vocab}},
                     c.hidden});
  }
  return specs;
}

std::vector<WeightSpec> layer_weight_specs(const ModelConfig& c, std::int64_t layer) {
  const std::int64_t q = c.heads_q * c.head_dim, kv = c.heads_kv * c.head_dim;
  const std::vector<Projection> qkv = {
      {"self_attn.q_proj", q}, {"self_attn.k_proj", kv}, {"self_attn.v_proj", kv}};
  const std::vector<Projection> gate_up = {{"mlp.gate_proj", c.intermediate},
                                           {"mlp.up_proj", c.intermediate}};
  const std::vector<Projection> o = {{"self_attn.o_proj", c.hidden}};
  const std::vector<Projection> down = {{"mlp.down_proj", c.hidden}};
  LayerSpecs list(layer);
  list.add_norm(WeightField::kInputNorm, "input_norm", "input_layernorm", c.hidden);
  list.add_norm(WeightField::kPostNorm, "post_norm", "post_attention_layernorm", c.hidden);
  list.add_linear(WeightField::kQkv, WeightRole::kLinear, "qkv", qkv, c.hidden);
  list.add_bias(c.qkv_bias, WeightField::kQkvBias, "qkv_bias", qkv);
  if (c.qk_norm) {
    list.add_norm(WeightField::kQNorm, "q_norm", "self_attn.q_norm", c.head_dim);
    list.add_norm(WeightField::kKNorm, "k_norm", "self_attn.k_norm", c.head_dim);
  }
  list.add_linear(WeightField::kO, WeightRole::kResidual, "o", o, q);
  list.add_bias(c.o_bias, WeightField::kOBias, "o_bias", o);
  list.add_linear(WeightField::kGateUp, WeightRole::kLinear, "gate_up", gate_up, c.hidden);
  list.add_bias(c.mlp_bias, WeightField::kGateUpBias, "gate_up_bias", gate_up);
  list.add_linear(WeightField::kDown, WeightRole::kResidual, "down", down, c.intermediate);
  list.add_bias(c.mlp_bias, WeightField::kDownBias, "down_bias", down);
  return list.take();
}

std::int64_t layer_parameter_count(const ModelConfig& config) {
  return count(layer_weight_specs(config, 0));
}

std::int64_t parameter_count(const ModelConfig& config) {
  return count(model_weight_specs(config)) + config.layers * layer_parameter_count(config);
}

}  // namespace elastic::engine
