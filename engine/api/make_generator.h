#pragma once

// The factory of the LibTorch engine, without LibTorch in sight: commands include this and nothing
// else of the engine. Built without the engine (preset `core`), make_generator.cpp is replaced by
// no_engine.cpp, whose functions throw kUnsupported.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/api/generator.h"
#include "engine/api/tokenizer.h"

namespace elastic::engine {

struct GeneratorOptions {
  std::filesystem::path model;   // checkpoint folder or GGUF file
  std::filesystem::path router;  // routers for it alone (engine/io/router_adapter.h), if any
  std::string random_shape;  // instead of a folder: "llama-3.1-8b", "qwen3-4b", ... random weights
  std::int64_t random_layers = 0;  // so many of them alone; 0: all
  std::string device = "auto";     // cpu, cuda, auto
  std::string dtype = "auto";      // fp32, bf16; auto: fp32 on CPU, the checkpoint's on GPU
  // The model's own, where the caller has it already; null: loaded from the folder.
  std::shared_ptr<const Tokenizer> tokenizer;
  std::int64_t chunk_rows = 0;  // rows of a prefill chunk inside a layer; 0 = chosen from memory
};

/// Throws kNotFound / kCorrupt / kUnsupported naming file and key,
/// kInvalidArgument for routers of another base, kDevice where the device is missing.
std::unique_ptr<Generator> make_generator(const GeneratorOptions& options);

/// What modes take of memory that others do not.
struct ModeNeeds {
  bool whole_prompts = false;  // attention over all rows of a prompt at once
};

/// Holds modes against a checkpoint folder or GGUF file, and the folder of an adapter (empty:
/// none), before anything is loaded. Throws what make_generator() and set_mode() would throw, as
/// far as config.json, router.json and the names of tensors tell.
ModeNeeds check_modes(const std::filesystem::path& model, const std::filesystem::path& router,
                      const std::vector<std::string>& modes);

struct ModeDescription {
  std::string name;
  std::string summary;
};

/// All mode names that set_mode() understands, with one line each.
std::vector<ModeDescription> list_modes();

/// Why times taken here would not be the program's own: LibTorch held to lesser kernels than the
/// processor's, a GPU that `asked` = auto could not open, GPU attention that no kernel takes. Empty
/// where what was asked for is what runs. `device` and `dtype` are those of a Generator.
std::vector<std::string> fallbacks(const std::string& asked, const std::string& device,
                                   const std::string& dtype, std::int64_t head_dim);

/// Text for `doctor`: library versions, CPU capability, devices. One "key: value" per entry.
std::vector<std::string> describe_engine();

}  // namespace elastic::engine
