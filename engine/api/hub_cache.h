#pragma once

// The Hugging Face cache, read and never written:
//   CACHE/models--ORG--NAME/{refs/main, snapshots/COMMIT/FILE}
// with CACHE = $HF_HUB_CACHE, else $HF_HOME/hub, else ~/.cache/huggingface/hub.
//
//   const HubModel found = find_in_hub_cache("Qwen/Qwen3-4B");

#include <filesystem>
#include <string>
#include <string_view>

namespace elastic::engine {

/// ORG/NAME with the characters such ids may have; a path of a folder may look the same.
bool is_hub_id(std::string_view text);

struct HubModel {
  std::filesystem::path folder;  // the snapshot refs/main names; empty where there is none
  std::filesystem::path looked;  // where it would lie
};

HubModel find_in_hub_cache(std::string_view id);

/// What records and tables call a checkpoint: the last component of its folder, NAME where it is a
/// snapshot of the cache, whose folder is called by its commit, or a GGUF file's without ".gguf".
std::string model_name(const std::filesystem::path& folder);

/// The same with routers put on it, if any: BASE+ROUTERS.
std::string model_name(const std::filesystem::path& folder, const std::filesystem::path& router);

}  // namespace elastic::engine
