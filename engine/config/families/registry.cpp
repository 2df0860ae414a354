#include "engine/config/registry.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/registry.h"

namespace elastic::engine {

ModelConfig llama_config(const JsonSource& source);    // llama.cpp
ModelConfig mistral_config(const JsonSource& source);  // mistral.cpp
ModelConfig qwen2_config(const JsonSource& source);    // qwen2.cpp
ModelConfig qwen3_config(const JsonSource& source);    // qwen3.cpp

namespace {

constexpr Family kFamilies[] = {
    {"LlamaForCausalLM", "PawLlamaForCausalLM", "llama", llama_config},
    {"MistralForCausalLM", nullptr, "mistral", mistral_config},
    {"Qwen2ForCausalLM", nullptr, "qwen2", qwen2_config},
    {"Qwen3ForCausalLM", "PawQwen3ForCausalLM", "qwen3", qwen3_config},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

std::vector<std::string> architectures() {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) {
    names.emplace_back(family.architecture);
    if (family.routed != nullptr) names.emplace_back(family.routed);
  }
  return names;
}

const Family& find_family(std::string_view architecture, std::string_view source) {
  for (const Family& family : kFamilies) {
    const bool routed = family.routed != nullptr && architecture == family.routed;
    if (architecture == family.architecture || routed) return family;
  }
  throw Error(
      ErrorKind::kUnsupported,
      fmt::format("{}: {}", source, unknown_name("architecture", architecture, architectures())));
}

}  // namespace elastic::engine
