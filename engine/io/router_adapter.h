#pragma once

// Routers alone, as `train router` writes them with "export": "adapter", to be put on a base whose
// weights lie elsewhere: router.safetensors (bf16, under the released names) and router.json, which
// says for which base they are, what they decide between and how they were trained. Torch-free.
//
//   const RouterAdapter adapter = read_router_adapter("build/routers");
//   check_base(adapter, config);                    // layers, KV heads, head_dim
//   check_base_weights(adapter, config, sha256);

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/config/model_config.h"

namespace elastic::engine {

inline constexpr const char* kAdapterConfig = "router.json";
inline constexpr const char* kAdapterWeights = "router.safetensors";

struct RouterAdapter {
  std::filesystem::path folder;
  std::string base;         // what its trainer called the base
  std::string base_sha256;  // of the base's weight files (Checkpoint::sha256())
  std::int64_t layers = 0, heads_kv = 0, head_dim = 0;  // of the base
  std::int64_t expansion = 0;                           // hidden width of both MLPs over head_dim
  RoutingConfig routing;                                // takes the place of the base's
};

/// The folder's router.json. Throws kInvalidArgument where the folder is none of routers, else
/// kCorrupt naming file, key and value.
RouterAdapter read_router_adapter(const std::filesystem::path& folder);

/// The same for an open router.json.
RouterAdapter parse_router_adapter(const JsonSource& source);

/// Keys of router.json: the adapter's, `routing` as the released config.json spells it, and
/// `training`, a record that nothing reads.
Json router_adapter_json(const RouterAdapter& adapter, const Json& routing, const Json& training);

/// Throws kInvalidArgument naming the adapter's base, what was found and the cure where the base
/// has other layers, KV heads or head_dim.
void check_base(const RouterAdapter& adapter, const ModelConfig& base);

/// The same for other weights.
void check_base_weights(const RouterAdapter& adapter, const ModelConfig& base,
                        const std::string& sha256);

}  // namespace elastic::engine
