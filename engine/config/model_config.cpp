#include "engine/config/model_config.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "engine/config/gguf_config.h"
#include "engine/config/registry.h"
#include "engine/config/rope_config.h"

namespace elastic::engine {
namespace {

constexpr std::int64_t kMaxExtent = 1 << 24;  // far above any model; keeps products inside 64 bits

[[noreturn]] void corrupt(const JsonSource& in, const std::string& what) {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", in.source, what));
}

std::int64_t positive(const JsonSource& in, std::string_view key) {
  const auto value = json_get<std::int64_t>(in, key);
  if (value < 1 || value > kMaxExtent) {
    corrupt(in, fmt::format("`{}` is {}, expected 1 .. {}", key, value, kMaxExtent));
  }
  return value;
}

template <typename T>
std::optional<T> optional_key(const JsonSource& in, const char* key) {
  const auto it = in.object.find(key);
  if (it == in.object.end() || it->is_null()) return std::nullopt;
  return json_get<T>(in, key);
}

void read_heads(const JsonSource& in, ModelConfig& config) {
  config.heads_q = positive(in, "num_attention_heads");
  config.heads_kv = optional_key<std::int64_t>(in, "num_key_value_heads")
                        ? positive(in, "num_key_value_heads")
                        : config.heads_q;
  if (config.heads_q % config.heads_kv != 0) {
    corrupt(in,
            fmt::format("`num_attention_heads` {} is not a multiple of `num_key_value_heads` {}",
                        config.heads_q, config.heads_kv));
  }
  if (optional_key<std::int64_t>(in, "head_dim")) {
    config.head_dim = positive(in, "head_dim");
  } else if (config.hidden % config.heads_q == 0) {
    config.head_dim = config.hidden / config.heads_q;
  } else {
    corrupt(in, fmt::format("no `head_dim`, and `hidden_size` {} is not a multiple of "
                            "`num_attention_heads` {}",
                            config.hidden, config.heads_q));
  }
  if (config.head_dim % 2 != 0) {
    corrupt(in, fmt::format("head_dim {} is odd: rotary position embedding needs pairs",
                            config.head_dim));
  }
}

std::string read_dtype(const JsonSource& in) {
  const auto name =
      optional_key<std::string>(in, in.object.contains("dtype") ? "dtype" : "torch_dtype");
  if (!name) return {};
  if (*name == "float32") return "fp32";
  if (*name == "bfloat16") return "bf16";
  if (*name == "float16") return "fp16";
  throw Error(ErrorKind::kUnsupported, fmt::format("{}: dtype `{}`", in.source, *name));
}

void reject_unsupported(const JsonSource& in) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: {}", in.source, what));
  };
  const auto act = json_get_or<std::string>(in, "hidden_act", "silu");
  if (act != "silu") refuse(fmt::format("`hidden_act` is `{}`, only silu is supported", act));
  if (json_get_or<bool>(in, "use_sliding_window", false)) {
    refuse("`use_sliding_window` is true: sliding-window layers are not supported");
  }
  if (const auto it = in.object.find("layer_types"); it != in.object.end() && it->is_array()) {
    for (const Json& type : *it) {
      if (type != "full_attention") refuse(fmt::format("`layer_types` holds {}", dump_line(type)));
    }
  }
  if (json_get_or<double>(in, "partial_rotary_factor", 1.0) != 1.0)
    refuse("`partial_rotary_factor` is not 1");
  if (const auto it = in.object.find("quantization_config");
      it != in.object.end() && !it->is_null()) {
    refuse(
        "`quantization_config`: quantised checkpoints are not supported; use the F32, F16 or BF16 "
        "weights");
  }
}

std::vector<std::int32_t> read_eos(const JsonSource& in, std::int64_t vocab) {
  std::vector<std::int32_t> ids;
  const auto it = in.object.find("eos_token_id");
  if (it == in.object.end() || it->is_null()) return ids;
  const Json list = it->is_array() ? *it : Json::array({*it});
  for (const Json& entry : list) {
    const Json holder = {{"eos_token_id", entry}};
    const auto id = json_get<std::int64_t>({holder, in.source}, "eos_token_id");
    if (id < 0 || id >= vocab) {
      corrupt(in, fmt::format("`eos_token_id` {} lies outside the vocabulary of {}", id, vocab));
    }
    ids.push_back(static_cast<std::int32_t>(id));
  }
  return ids;
}

NsaTensorNames read_nsa_names(const JsonSource& in) {
  NsaTensorNames names;
  const auto it = in.object.find("nsa_tensors");
  if (it == in.object.end() || it->is_null()) return names;
  if (!it->is_object()) corrupt(in, "`nsa_tensors` is not an object of names");
  const std::map<std::string, std::string*> known = {{"gate", &names.gate},
                                                     {"compress_key", &names.compress_key},
                                                     {"compress_value", &names.compress_value},
                                                     {"intra_block_pe", &names.intra_block_pe}};
  for (const auto& [key, ignored] : it->items()) {
    const auto name = known.find(key);
    if (name == known.end()) {
      corrupt(in, fmt::format("`nsa_tensors` holds `{}`; known: gate, compress_key, "
                              "compress_value, intra_block_pe",
                              key));
    }
    *name->second = json_get<std::string>({*it, in.source}, key);
  }
  return names;
}

}  // namespace

RoutingConfig parse_routing(const JsonSource& in) {
  RoutingConfig routing;
  routing.toggle_type = optional_key<std::string>(in, "toggle_type");
  routing.retrieval_mode = optional_key<std::string>(in, "retrieval_mode");
  routing.sparse_mode = optional_key<std::string>(in, "sparse_mode");
  routing.sink_size = optional_key<std::int64_t>(in, "sink_size");
  routing.local_window_size = optional_key<std::int64_t>(in, "local_window_size");
  routing.pooling_mode = optional_key<std::string>(in, "pooling_mode");
  routing.pooling_rows = optional_key<std::int64_t>(in, "pooling_rows");
  routing.use_softmax = optional_key<bool>(in, "use_softmax");
  routing.enable_ada_sparsity = optional_key<bool>(in, "enable_ada_sparsity");
  if (routing.sink_size && (*routing.sink_size < 0 || *routing.sink_size > kMaxExtent)) {
    corrupt(in, fmt::format("`sink_size` is {}", *routing.sink_size));
  }
  if (routing.pooling_rows && (*routing.pooling_rows < 0 || *routing.pooling_rows > kMaxExtent)) {
    corrupt(in, fmt::format("`pooling_rows` is {}", *routing.pooling_rows));
  }
  if (routing.local_window_size &&
      (*routing.local_window_size < 1 || *routing.local_window_size > kMaxExtent)) {
    corrupt(in, fmt::format("`local_window_size` is {}", *routing.local_window_size));
  }
  return routing;
}

ModelConfig parse_common_config(const JsonSource& in) {
  reject_unsupported(in);
  ModelConfig config;
  config.vocab = positive(in, "vocab_size");
  config.hidden = positive(in, "hidden_size");
  config.intermediate = positive(in, "intermediate_size");
  config.layers = positive(in, "num_hidden_layers");
  if (config.layers > 4096) corrupt(in, fmt::format("`num_hidden_layers` is {}", config.layers));
  read_heads(in, config);
  config.max_positions = positive(in, "max_position_embeddings");
  config.rms_eps = json_get_or<double>(in, "rms_norm_eps", 1e-6);
  if (!std::isfinite(config.rms_eps) || config.rms_eps < 0 || config.rms_eps > 1) {
    corrupt(in, fmt::format("`rms_norm_eps` is {}", config.rms_eps));
  }
  config.qkv_bias = config.o_bias = json_get_or<bool>(in, "attention_bias", false);
  config.mlp_bias = json_get_or<bool>(in, "mlp_bias", false);
  config.dtype = read_dtype(in);
  config.eos_ids = read_eos(in, config.vocab);
  config.rope = parse_rope_config(in, config.max_positions);
  if (const auto factors = std::ssize(config.rope.factors);
      config.rope.type == RopeType::kFactors && factors != config.head_dim / 2) {
    corrupt(in, fmt::format("RoPE has {} `factors`, expected {}: half of head_dim", factors,
                            config.head_dim / 2));
  }
  config.routing = parse_routing(in);
  config.nsa = read_nsa_names(in);
  return config;
}

ModelConfig parse_model_config(const JsonSource& in) {
  const Json& json = in.object;
  if (!json.is_object()) corrupt(in, "not a JSON object");
  const auto it = json.find("architectures");
  if (it == json.end() || !it->is_array() || it->empty() || !it->front().is_string()) {
    corrupt(in, "`architectures` is missing or not a list of names");
  }
  const std::string architecture = it->front().get<std::string>();
  const Family& family = find_family(architecture, in.source);
  ModelConfig config = family.config(in);
  config.architecture = architecture;
  config.family = family.name;
  config.routed_architecture = architecture != family.architecture;
  return config;
}

const char* default_dtype(const ModelConfig& config, bool cpu) {
  return cpu || config.dtype == "fp32" ? "fp32" : "bf16";
}

std::string read_config_text(const std::filesystem::path& model) {
  return is_gguf(model) ? dump_pretty(gguf_config(GgufFile(model)))
                        : read_file(model / "config.json");
}

ModelConfig read_model_config(const std::filesystem::path& folder) {
  if (is_gguf(folder)) {
    const Json json = gguf_config(GgufFile(folder));
    ModelConfig config = parse_model_config({json, folder.string()});
    config.folder = folder;
    return config;
  }
  const auto path = folder / "config.json";
  const Json json = read_json(path);
  ModelConfig config = parse_model_config({json, path.string()});
  config.folder = folder;
  const auto generation = folder / "generation_config.json";
  if (std::filesystem::exists(generation)) {
    const Json extra = read_json(generation);
    if (!extra.is_object()) corrupt({extra, generation.string()}, "not a JSON object");
    if (extra.contains("eos_token_id") && !extra["eos_token_id"].is_null()) {
      config.eos_ids = read_eos({extra, generation.string()}, config.vocab);
    }
  }
  return config;
}

}  // namespace elastic::engine
