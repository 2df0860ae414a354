#pragma once

// config.json (and generation_config.json) of a Hugging Face checkpoint folder, or the metadata of
// a GGUF file, read into one struct that the decoder understands whatever the family. What the
// decoder cannot compute exactly is a named error, never a silent approximation. Torch-free.
//
//   const ModelConfig config = read_model_config("models/demo");

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace elastic::engine {

enum class RopeType { kDefault, kLinear, kLlama3, kYarn, kFactors };

struct RopeConfig {
  RopeType type = RopeType::kDefault;
  double theta = 10000;
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  std::int64_t original_max_positions = 0;           // llama3, yarn
  double beta_fast = 32, beta_slow = 1;              // yarn
  bool truncate = true;         // yarn: ramp bounds rounded outwards to whole dimensions
  double attention_factor = 1;  // multiplies cos and sin (yarn)
  // factors: what each of the head_dim / 2 frequencies is divided by. Our own type, of GGUF files.
  std::vector<double> factors;
};

/// Keys that routed checkpoints add (all optional; unset = key absent).
struct RoutingConfig {
  std::optional<std::string> toggle_type;     // what sparse heads compute: streaming, xattn
  std::optional<std::string> retrieval_mode;  // what retrieval heads compute: full, xattn
  // The mode of sparse heads with its options, "xa:stride=16,tau=0.9,...". Our own key.
  std::optional<std::string> sparse_mode;
  std::optional<std::int64_t> sink_size, local_window_size;  // tokens
  std::optional<std::string> pooling_mode;
  // Keys at each end that the routers were trained to pool; 0 = the whole prompt. Our own key.
  std::optional<std::int64_t> pooling_rows;
  std::optional<bool> use_softmax, enable_ada_sparsity;
};

/// Names of the tensors of NSA, each after "model.layers.N.". Our own key `nsa_tensors` renames
/// them.
struct NsaTensorNames {
  std::string gate = "self_attn.nsa.gate.weight";
  std::string compress_key = "self_attn.nsa.compress_key";
  std::string compress_value = "self_attn.nsa.compress_value";
  std::string intra_block_pe = "self_attn.nsa.intra_block_pe";
};

struct ModelConfig {
  std::filesystem::path folder;      // or GGUF file it was read from; empty for shapes
  std::string architecture;          // architectures[0]
  std::string family;                // "llama", "qwen3", ...
  bool routed_architecture = false;  // the Paw* class of the family
  std::int64_t vocab = 0, hidden = 0, intermediate = 0, layers = 0;
  std::int64_t heads_q = 0, heads_kv = 0, head_dim = 0, max_positions = 0;
  double rms_eps = 1e-6;
  bool tied = false;      // lm_head shares the embedding
  bool qk_norm = false;   // per-head RMS norm on q and k before RoPE
  bool qkv_bias = false;  // q, k and v projections have a bias
  bool o_bias = false;
  bool mlp_bias = false;
  std::string dtype;  // "fp32", "bf16", "fp16": as the config names it; empty where absent
  std::vector<std::int32_t> eos_ids;
  RopeConfig rope;
  RoutingConfig routing;
  NsaTensorNames nsa;
};

/// Reads `model`/config.json; generation_config.json, where present, overrides the EOS list. Of a
/// GGUF file: gguf_config(). Throws kNotFound, kCorrupt or kUnsupported naming file, key and value.
ModelConfig read_model_config(const std::filesystem::path& model);

/// The text of config.json, or of what stands for it in a GGUF file.
std::string read_config_text(const std::filesystem::path& model);

/// The same for an open config.json, without the other file.
ModelConfig parse_model_config(const JsonSource& source);

/// The routing keys of an open config.json, or of a router.json (engine/io/router_adapter.h).
RoutingConfig parse_routing(const JsonSource& source);

/// What dtype `auto` means: fp32 on a CPU and where the checkpoint is stored so, else bf16.
const char* default_dtype(const ModelConfig& config, bool cpu);

/// The keys that all families share, from an open config; used by the families of
/// engine/config/registry.h. `architecture`, `family` and family features are left to them.
ModelConfig parse_common_config(const JsonSource& source);

}  // namespace elastic::engine
