#pragma once

// A GGUF file's metadata as the config.json that the same model has as a Hugging Face checkpoint,
// so that one reader (model_config.h) serves both. What is not understood is an error naming file,
// key and value. Torch-free.
//
//   const Json config = gguf_config(GgufFile("model.gguf"));

#include "base/json.h"
#include "engine/io/gguf.h"

namespace elastic::engine {

struct GgufArchitecture {
  const char* name;          // `general.architecture`, and the beginning of its keys
  const char* architecture;  // Hugging Face's class
  bool interleaved;  // rows of q and k of a head: the pairs of RoPE side by side, not half a head
                     // apart
};

/// kUnsupported naming the file's architecture and all known ones.
const GgufArchitecture& gguf_architecture(const GgufFile& file);

/// Throws kCorrupt or kUnsupported.
Json gguf_config(const GgufFile& file);

}  // namespace elastic::engine
