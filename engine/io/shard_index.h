#pragma once

// model.safetensors.index.json: which file of a checkpoint holds which tensor.

#include <map>
#include <string>

#include "base/json.h"

namespace elastic::engine {

/// Tensor -> file name, of `weight_map`. The names are data of others: kCorrupt where one is no
/// plain name of a file in the same folder.
std::map<std::string, std::string> parse_shard_index(const JsonSource& in);

}  // namespace elastic::engine
