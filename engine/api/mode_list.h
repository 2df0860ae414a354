#pragma once

// A command line's list of mode strings. Commas separate modes and also a mode's options; a part
// that is key=value without a name before it belongs to the mode on its left:
//   split_modes("fa,ssa:sink=128,local=2048,fa-ssa") == {"fa", "ssa:sink=128,local=2048", "fa-ssa"}
// Torch-free.

#include <string>
#include <string_view>
#include <vector>

namespace elastic::engine {

/// kInvalidArgument where the list starts with an option.
std::vector<std::string> split_modes(std::string_view text);

}  // namespace elastic::engine
