#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <map>
#include <span>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/train/parameters.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

TensorType file_type(at::ScalarType type) {
  if (type == at::kFloat) return TensorType::kF32;
  return type == at::kHalf ? TensorType::kF16 : TensorType::kBF16;
}

// Tensors on the CPU in the order of the file; they own the bytes that the views point to.
class TensorList {
 public:
  void add(const std::string& name, const at::Tensor& tensor, at::ScalarType type) {
    if (!tensor.defined()) return;
    tensors_.push_back(tensor.detach().to(at::kCPU, type).contiguous());
    names_.push_back(name);
  }
  std::vector<TensorView> views() const {
    std::vector<TensorView> views;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      views.push_back(file_view(names_[i], tensors_[i]));
    }
    return views;
  }

 private:
  std::vector<at::Tensor> tensors_;
  std::vector<std::string> names_;
};

at::Tensor part(const at::Tensor& stacked, std::int64_t start, std::int64_t rows) {
  return stacked.defined() ? stacked.narrow(0, start, rows) : stacked;
}

struct Stacked {
  const char* name;
  std::int64_t start, rows;
};

void add_projections(TensorList& list, const std::string& prefix, const at::Tensor& weight,
                     const at::Tensor& bias, std::span<const Stacked> parts, at::ScalarType type) {
  for (const Stacked& p : parts) {
    list.add(prefix + p.name + ".weight", part(weight, p.start, p.rows), type);
    list.add(prefix + p.name + ".bias", part(bias, p.start, p.rows), type);
  }
}

void add_layer(TensorList& list, const ModelConfig& c, const LayerWeights& w, std::int64_t layer,
               at::ScalarType type) {
  const std::string prefix = fmt::format("model.layers.{}.", layer);
  const std::int64_t q = c.heads_q * c.head_dim, kv = c.heads_kv * c.head_dim, n = c.intermediate;
  const Stacked qkv[] = {{"q_proj", 0, q}, {"k_proj", q, kv}, {"v_proj", q + kv, kv}};
  const Stacked gate_up[] = {{"gate_proj", 0, n}, {"up_proj", n, n}};
  const Stacked o[] = {{"o_proj", 0, c.hidden}}, down[] = {{"down_proj", 0, c.hidden}};
  list.add(prefix + "input_layernorm.weight", w.input_norm, type);
  add_projections(list, prefix + "self_attn.", w.qkv, w.qkv_bias, qkv, type);
  list.add(prefix + "self_attn.q_norm.weight", w.q_norm, type);
  list.add(prefix + "self_attn.k_norm.weight", w.k_norm, type);
  add_projections(list, prefix + "self_attn.", w.o, w.o_bias, o, type);
  list.add(prefix + "post_attention_layernorm.weight", w.post_norm, type);
  add_projections(list, prefix + "mlp.", w.gate_up, w.gate_up_bias, gate_up, type);
  add_projections(list, prefix + "mlp.", w.down, w.down_bias, down, type);
}

void add_router(TensorList& list, const RouterWeights& r, std::int64_t layer) {
  const std::string prefix = fmt::format("model.layers.{}.self_attn.mask_allocator.", layer);
  const auto add = [&](const char* name, const at::Tensor& weight, const at::Tensor& bias) {
    list.add(prefix + name + ".weight", weight, at::kFloat);
    list.add(prefix + name + ".bias", bias, at::kFloat);
  };
  add("cls_feat_extractor.0", r.task_up, r.task_up_bias);
  add("cls_feat_extractor.2", r.task_down, r.task_down_bias);
  add("cls_router_head_agnostic.0", r.head_up, r.head_up_bias);
  add("cls_router_head_agnostic.2", r.head_down, r.head_down_bias);
  add("cls_router_head_agnostic.4", r.logits, r.logits_bias);
}

void copy_tokenizer(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (from.empty() || fs::equivalent(from, to, error)) return;
  for (const char* name :
       {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
        "generation_config.json", "chat_template.jinja"}) {
    if (fs::exists(from / name, error)) write_file_atomic(to / name, read_file(from / name));
  }
}

}  // namespace

TensorView file_view(const std::string& name, const at::Tensor& host) {
  return {name,
          file_type(host.scalar_type()),
          host.sizes().vec(),
          {static_cast<const std::uint8_t*>(host.const_data_ptr()), host.nbytes()}};
}

at::ScalarType stored_type(const ModelConfig& config) {
  if (config.dtype == "fp32") return at::kFloat;
  return config.dtype == "fp16" ? at::kHalf : at::kBFloat16;
}

void export_model(const DecoderWeights& weights, const std::string& config_json,
                  const fs::path& tokenizer, const fs::path& folder) {
  const ModelConfig& c = weights.config;
  const at::ScalarType type = stored_type(c);
  TensorList list;
  list.add("model.embed_tokens.weight", weights.embedding, type);
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    add_layer(list, c, weights.layers[static_cast<std::size_t>(layer)], layer, type);
    if (!weights.routers.empty()) {
      add_router(list, weights.routers[static_cast<std::size_t>(layer)], layer);
    }
  }
  list.add("model.norm.weight", weights.final_norm, type);
  if (!c.tied) list.add("lm_head.weight", weights.lm_head, type);
  create_folders(folder);
  write_safetensors(folder / "model.safetensors", list.views());
  write_file_atomic(folder / "config.json", config_json);
  copy_tokenizer(tokenizer, folder);
}

std::string routed_config(const std::string& config_json, const std::string& source,
                          const RouterOptions& options) {
  static const std::map<std::string, std::string> kRouted = {
      {"LlamaForCausalLM", "PawLlamaForCausalLM"}, {"Qwen3ForCausalLM", "PawQwen3ForCausalLM"}};
  Json config = parse_json(config_json, source);
  Json& name = config["architectures"][0];
  if (const auto it = kRouted.find(name.get<std::string>()); it != kRouted.end()) name = it->second;
  config["toggle_type"] = "streaming";
  config["retrieval_mode"] = "full";
  config["sink_size"] = options.sink;
  config["local_window_size"] = options.local;
  config["pooling_mode"] = "ctx_q";
  config["pooling_rows"] = options.pooling == "full" ? 0 : options.pool_rows;
  config["use_softmax"] = true;
  config["enable_ada_sparsity"] = true;
  config["enable_lambda_task"] = true;
  config["use_task_emb_for_mask"] = false;
  return dump_pretty(config);
}

}  // namespace elastic::engine
