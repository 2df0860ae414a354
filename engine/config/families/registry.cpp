#include "engine/config/registry.h"

#include <fmt/format.h>

#include <vector>

#include "base/error.h"
#include "base/registry.h"

namespace elastic::engine {

ModelConfig llama_config(const JsonSource& source);  // llama.cpp
ModelConfig qwen3_config(const JsonSource& source);  // qwen3.cpp

namespace {
constexpr Family kFamilies[] = {
    {"LlamaForCausalLM", "llama", false, llama_config},
    {"PawLlamaForCausalLM", "llama", true, llama_config},
    {"Qwen3ForCausalLM", "qwen3", false, qwen3_config},
    {"PawQwen3ForCausalLM", "qwen3", true, qwen3_config},
};
}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family& find_family(std::string_view architecture, std::string_view source) {
  std::vector<std::string> known;
  for (const Family& family : kFamilies) {
    if (architecture == family.architecture) return family;
    known.emplace_back(family.architecture);
  }
  throw Error(ErrorKind::kUnsupported,
              fmt::format("{}: {}", source, unknown_name("architecture", architecture, known)));
}

}  // namespace elastic::engine
