#include "engine/config/gguf_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/registry.h"

namespace elastic::engine {
namespace {

constexpr GgufArchitecture kArchitectures[] = {
    {"llama", "LlamaForCausalLM", true},
    {"qwen3", "Qwen3ForCausalLM", false},
};

// Keys below the architecture's name that are read here or change nothing.
constexpr std::string_view kKnownKeys[] = {
    "vocab_size",
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "tensor_data_layout",
    "expert_count",
    "expert_used_count",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "attention.causal",
    "attention.sliding_window",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "rope.scaling.attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
};

// The file with its architecture's keys by their short names.
class Keys {
 public:
  explicit Keys(const GgufFile& gguf) : file(gguf), prefix_(gguf_architecture(gguf).name) {
    prefix_ += '.';
    for (const auto& [key, ignored] : file.metadata()) {
      if (key.starts_with(prefix_) &&
          std::find(std::begin(kKnownKeys), std::end(kKnownKeys), key.substr(prefix_.size())) ==
              std::end(kKnownKeys)) {
        throw Error(ErrorKind::kUnsupported,
                    fmt::format("{}: key `{}` is not understood: it may change results",
                                file.source(), key));
      }
    }
  }

  [[noreturn]] void refuse(ErrorKind kind, std::string_view key, const std::string& what) const {
    throw Error(kind, fmt::format("{}: `{}{}` {}", file.source(), prefix_, key, what));
  }

  template <typename T>
  std::optional<T> find(std::string_view key) const {
    return file.find<T>(prefix_ + std::string(key));
  }

  // A number, or an array with one for each layer, which must be equal: there is one shape of
  // layer.
  std::optional<std::int64_t> count(std::string_view key) const {
    const auto it = file.metadata().find(prefix_ + std::string(key));
    if (it == file.metadata().end() || !it->second.is_array) return find<std::int64_t>(key);
    const auto list = *find<std::vector<std::int64_t>>(key);
    if (list.empty()) refuse(ErrorKind::kCorrupt, key, "is an empty array");
    if (std::any_of(list.begin(), list.end(), [&](auto n) { return n != list.front(); })) {
      refuse(ErrorKind::kUnsupported, key, "differs from layer to layer");
    }
    return list.front();
  }

  std::int64_t size(std::string_view key) const {
    const auto value = count(key);
    if (!value) file.get<std::int64_t>(prefix_ + std::string(key));  // throws
    if (*value < 1)
      refuse(ErrorKind::kCorrupt, key, fmt::format("is {}, expected 1 or more", *value));
    return *value;
  }

  const GgufFile& file;

 private:
  std::string prefix_;
};

bool has(const GgufFile& file, std::string_view tensor) {
  return file.find_tensor(tensor) != nullptr;
}

void read_sizes(const Keys& keys, Json& config) {
  const GgufTensor* embedding = keys.file.find_tensor("token_embd.weight");
  if (embedding == nullptr) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: no tensor `token_embd.weight`", keys.file.source()));
  }
  config["vocab_size"] = embedding->shape.front();
  if (const auto vocab = keys.find<std::int64_t>("vocab_size");
      vocab && *vocab != embedding->shape.front()) {
    keys.refuse(ErrorKind::kCorrupt, "vocab_size",
                fmt::format("is {}, and `token_embd.weight` has {} rows", *vocab,
                            embedding->shape.front()));
  }
  constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
  if (const auto tokens = keys.file.metadata().find(kTokens);
      tokens != keys.file.metadata().end() &&
      tokens->second.count != static_cast<std::uint64_t>(embedding->shape.front())) {
    throw Error(
        ErrorKind::kCorrupt,
        fmt::format("{}: `{}` has {} entries, and `token_embd.weight` has {} rows",
                    keys.file.source(), kTokens, tokens->second.count, embedding->shape.front()));
  }
  config["hidden_size"] = keys.size("embedding_length");
  config["intermediate_size"] = keys.size("feed_forward_length");
  config["num_hidden_layers"] = keys.size("block_count");
  config["max_position_embeddings"] = keys.size("context_length");
  config["num_attention_heads"] = keys.size("attention.head_count");
  config["num_key_value_heads"] =
      keys.count("attention.head_count_kv").value_or(keys.size("attention.head_count"));
  const auto epsilon = keys.find<double>("attention.layer_norm_rms_epsilon");
  if (!epsilon) keys.refuse(ErrorKind::kCorrupt, "attention.layer_norm_rms_epsilon", "is missing");
  config["rms_norm_eps"] = *epsilon;
}

// Of a head; all that name it must agree.
void read_head_dim(const Keys& keys, Json& config) {
  const std::int64_t hidden = config["hidden_size"], heads = config["num_attention_heads"];
  const std::int64_t head_dim =
      keys.find<std::int64_t>("attention.key_length").value_or(hidden / heads);
  config["head_dim"] = head_dim;
  for (const char* key : {"attention.value_length", "rope.dimension_count"}) {
    const auto given = keys.find<std::int64_t>(key);
    if (given.value_or(head_dim) != head_dim) {
      keys.refuse(ErrorKind::kUnsupported, key,
                  fmt::format("is {} with heads of {}; only whole heads of one size are supported",
                              *given, head_dim));
    }
  }
}

// The factor by which YaRN grows cos and sin, where the file says more than its scaling factor
// does.
void read_yarn(const Keys& keys, double factor, Json& scaling) {
  for (const auto& [key, name] : {std::pair{"rope.scaling.yarn_beta_fast", "beta_fast"},
                                  std::pair{"rope.scaling.yarn_beta_slow", "beta_slow"}}) {
    if (const auto value = keys.find<double>(key)) scaling[name] = *value;
  }
  const double given = keys.find<double>("rope.scaling.attn_factor").value_or(1);
  if (given != 1 && factor > 0) scaling["attention_factor"] = given * (1 + 0.1 * std::log(factor));
}

// Llama 3's scaling comes as what each frequency is divided by.
void read_factors(const Keys& keys, Json& config) {
  constexpr const char* kFactors = "rope_freqs.weight";
  const GgufTensor* tensor = keys.file.find_tensor(kFactors);
  if (tensor == nullptr) return;
  if (tensor->type != GgufTensorType::kF32 || config.contains("rope_scaling")) {
    throw Error(ErrorKind::kUnsupported,
                fmt::format("{}: tensor `{}` is {}{}; expected F32 and no other scaling",
                            keys.file.source(), kFactors, to_string(tensor->type),
                            config.contains("rope_scaling") ? " beside `rope.scaling.type`" : ""));
  }
  Json factors = Json::array();
  for (std::size_t at = 0; at < tensor->bytes.size(); at += sizeof(float)) {
    factors.push_back(stored_number<float>(tensor->bytes.data() + at));
  }
  config["rope_scaling"] = {{"rope_type", "factors"}, {"factors", std::move(factors)}};
}

void read_rope(const Keys& keys, Json& config) {
  for (const char* tensor : {"rope_factors_long.weight", "rope_factors_short.weight"}) {
    if (has(keys.file, tensor)) {
      throw Error(ErrorKind::kUnsupported,
                  fmt::format("{}: tensor `{}`: this kind of RoPE is not supported",
                              keys.file.source(), tensor));
    }
  }
  config["rope_theta"] = keys.find<double>("rope.freq_base").value_or(10000);
  const auto linear = keys.find<double>("rope.scale_linear");  // of older files
  const std::string type(keys.find<std::string_view>("rope.scaling.type")
                             .value_or(linear.value_or(1) != 1 ? "linear" : "none"));
  if (type == "none") return;
  if (type != "linear" && type != "yarn") {
    keys.refuse(ErrorKind::kUnsupported, "rope.scaling.type",
                fmt::format("is `{}`; known: none, linear, yarn", type));
  }
  const auto factor = keys.find<double>("rope.scaling.factor");
  if (!factor && !linear) keys.refuse(ErrorKind::kCorrupt, "rope.scaling.factor", "is missing");
  Json scaling = {{"rope_type", type}, {"factor", factor ? *factor : *linear}};
  if (const auto original = keys.find<std::int64_t>("rope.scaling.original_context_length")) {
    scaling["original_max_position_embeddings"] = *original;
  }
  if (type == "yarn") read_yarn(keys, scaling["factor"], scaling);
  config["rope_scaling"] = std::move(scaling);
}

void refuse_unsupported(const Keys& keys, std::int64_t context) {
  if (keys.find<std::int64_t>("expert_count").value_or(0) != 0) {
    keys.refuse(ErrorKind::kUnsupported, "expert_count", "is not 0: experts are not supported");
  }
  if (!keys.find<bool>("attention.causal").value_or(true)) {
    keys.refuse(ErrorKind::kUnsupported, "attention.causal", "is false");
  }
  const auto window = keys.find<std::int64_t>("attention.sliding_window");
  if (window.value_or(0) != 0 && *window < context) {
    keys.refuse(ErrorKind::kUnsupported, "attention.sliding_window",
                fmt::format("is {} of {} positions: sliding-window layers are not supported",
                            *window, context));
  }
  const auto type = keys.file.find<std::string_view>("general.type").value_or("model");
  if (type != "model") {
    throw Error(ErrorKind::kUnsupported, fmt::format("{}: `general.type` is `{}`, expected model",
                                                     keys.file.source(), type));
  }
}

// Ids that end an answer: the text's end, the turn's, the message's.
void read_ends(const GgufFile& file, Json& config) {
  Json ends = Json::array();
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                          "tokenizer.ggml.eom_token_id"}) {
    const auto id = file.find<std::int64_t>(key);
    if (!id) continue;
    if (*id < 0 || *id >= config["vocab_size"].get<std::int64_t>()) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: `{}` is {}, outside the vocabulary of {}", file.source(), key,
                              *id, config["vocab_size"].get<std::int64_t>()));
    }
    if (std::find(ends.begin(), ends.end(), *id) == ends.end()) ends.push_back(*id);
  }
  if (!ends.empty()) config["eos_token_id"] = std::move(ends);
}

// What the weights were stored in; quantised ones count as bfloat16.
const char* stored_dtype(const GgufFile& file) {
  const auto all = [&](GgufTensorType other) {
    return std::all_of(file.tensors().begin(), file.tensors().end(), [&](const GgufTensor& tensor) {
      return tensor.type == GgufTensorType::kF32 || tensor.type == other;
    });
  };
  if (all(GgufTensorType::kF32)) return "float32";
  return all(GgufTensorType::kF16) ? "float16" : "bfloat16";
}

}  // namespace

const GgufArchitecture& gguf_architecture(const GgufFile& file) {
  const auto name = file.get<std::string_view>("general.architecture");
  std::vector<std::string> known;
  for (const GgufArchitecture& architecture : kArchitectures) {
    if (name == architecture.name) return architecture;
    known.emplace_back(architecture.name);
  }
  throw Error(
      ErrorKind::kUnsupported,
      fmt::format("{}: {}", file.source(), unknown_name("`general.architecture`", name, known)));
}

Json gguf_config(const GgufFile& file) {
  const Keys keys(file);
  Json config = {{"architectures", {gguf_architecture(file).architecture}}};
  read_sizes(keys, config);
  read_head_dim(keys, config);
  refuse_unsupported(keys, config["max_position_embeddings"]);
  read_rope(keys, config);
  read_factors(keys, config);
  config["tie_word_embeddings"] = !has(file, "output.weight");
  config["attention_bias"] = has(file, "blk.0.attn_q.bias");
  config["mlp_bias"] = has(file, "blk.0.ffn_gate.bias");
  read_ends(file, config);
  config["torch_dtype"] = stored_dtype(file);
  return config;
}

}  // namespace elastic::engine
