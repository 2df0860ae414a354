#pragma once

// Writes result tensors (logits, hidden states) as a safetensors file. Torch-free.

#include <filesystem>
#include <span>

#include "engine/api/generator.h"

namespace elastic::engine {

/// F32 tensors under their names, beside the target, synced, then renamed: the old file or the new
/// one, never a part. kIo naming the path and the reason.
void write_tensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors);

}  // namespace elastic::engine
