#pragma once

// What a stopped training run needs to go on exactly: one safetensors file, replaced whole, so that
// a kill or a full disk leaves the last good checkpoint. Random numbers are functions of the step
// (noise.h) and need no state.

#include <filesystem>
#include <string>
#include <vector>

#include "engine/io/state_header.h"
#include "engine/train/parameters.h"

namespace elastic::engine {

/// kIo naming the path and the reason; the file that was there stays.
void save_state(const std::filesystem::path& path, const StateHeader& header,
                const std::vector<Parameter>& tensors);

/// Fills the tensors in place. kCorrupt naming file and tensor; kInvalidArgument where the options
/// differ, naming the first that does.
StateHeader load_state(const std::filesystem::path& path, const std::string& options,
                       const std::vector<Parameter>& tensors);

}  // namespace elastic::engine
