#pragma once

// Model families: how a Hugging Face config.json of one architecture maps to the decoder's
// ModelConfig. The decoder itself is one for all families; weight names are those of Hugging Face
// and shared (model/weights.h). Torch-free. A new family is a file in families/ with one function,
// and one line in families/registry.cpp.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config/model_config.h"

namespace elastic::engine {

struct Family {
  const char* architecture;  // config.json architectures[0]
  const char* routed;        // the class that adds routers, null where nobody published one
  const char* name;          // "llama"
  ModelConfig (*config)(const JsonSource& source);
};

std::span<const Family> families();

/// Class names of all of them.
std::vector<std::string> architectures();

/// By the class with or without routers. kUnsupported naming `source` (the config file), the
/// architecture and all known ones.
const Family& find_family(std::string_view architecture, std::string_view source);

}  // namespace elastic::engine
