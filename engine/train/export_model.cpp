#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/registry.h"
#include "engine/attention/registry.h"
#include "engine/config/registry.h"
#include "engine/train/parameters.h"

namespace elastic::engine {
namespace {

namespace fs = std::filesystem;

// What released routers are stored in; half the file of fp32.
constexpr at::ScalarType kAdapterType = at::kBFloat16;

TensorType file_type(at::ScalarType type) {
  if (type == at::kFloat) return TensorType::kF32;
  return type == at::kHalf ? TensorType::kF16 : TensorType::kBF16;
}

// Tensors on the CPU in the order of the file; they own the bytes that the views point to.
class TensorList {
 public:
  void add(const std::string& name, const at::Tensor& tensor, at::ScalarType type) {
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

void add_weight(TensorList& list, const WeightSpec& spec, const at::Tensor& tensor,
                at::ScalarType type) {
  std::int64_t start = 0;
  for (const WeightPart& part : spec.parts) {
    list.add(part.name, tensor.narrow(0, start, part.rows), type);
    start += part.rows;
  }
}

void add_router(TensorList& list, const RouterWeights& router, std::int64_t layer,
                at::ScalarType type) {
  for (const RouterLinear& linear : kRouterLinears) {
    const std::string name = router_prefix(layer) + linear.stored;
    list.add(name + ".weight", router.*linear.weight, type);
    list.add(name + ".bias", router.*linear.bias, type);
  }
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

void export_model(DecoderWeights weights, const std::string& config_json, const fs::path& tokenizer,
                  const fs::path& folder) {
  const at::ScalarType type = stored_type(weights.config);
  TensorList list;
  for_each_tensor(weights, [&](const WeightSpec& spec, const at::Tensor& tensor) {
    add_weight(list, spec, tensor, type);
  });
  for (std::size_t layer = 0; layer < weights.routers.size(); ++layer) {
    add_router(list, weights.routers[layer], static_cast<std::int64_t>(layer), at::kFloat);
  }
  create_folders(folder);
  write_safetensors(folder / "model.safetensors", list.views());
  write_file_atomic(folder / "config.json", config_json);
  copy_tokenizer(tokenizer, folder);
}

void export_routers(const std::vector<RouterWeights>& routers, const RouterAdapter& adapter,
                    const Json& routing, const Json& training) {
  TensorList list;
  for (std::size_t layer = 0; layer < routers.size(); ++layer) {
    add_router(list, routers[layer], static_cast<std::int64_t>(layer), kAdapterType);
  }
  create_folders(adapter.folder);
  write_safetensors(adapter.folder / kAdapterWeights, list.views());
  write_file_atomic(adapter.folder / kAdapterConfig,
                    dump_pretty(router_adapter_json(adapter, routing, training)));
}

Json routing_keys(const RouterOptions& options, const HeadMode& sparse) {
  Json keys = {{"toggle_type", find_entry(head_modes(), "head mode", sparse.name()).config_name},
               {"retrieval_mode", "full"},
               {"sink_size", options.sink},
               {"local_window_size", options.local},
               {"pooling_mode", "ctx_q"},
               {"pooling_rows", options.pooling == RouterPooling::kFull ? 0 : options.pool_rows},
               {"use_softmax", true},
               {"enable_ada_sparsity", true},
               {"enable_lambda_task", true},
               {"use_task_emb_for_mask", false}};
  // Released keys say nothing of the options of modes that estimate.
  if (sparse.places().estimates) keys["sparse_mode"] = sparse.describe();
  return keys;
}

std::string routed_config(const std::string& config_json, const std::string& source,
                          const RouterOptions& options, const HeadMode& sparse) {
  Json config = parse_json(config_json, source);
  Json& name = config["architectures"][0];
  for (const Family& family : families()) {
    if (family.routed != nullptr && name == family.architecture) name = family.routed;
  }
  config.update(routing_keys(options, sparse));
  return dump_pretty(config);
}

}  // namespace elastic::engine
