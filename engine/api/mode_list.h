#pragma once

// Mode strings as text: NAME[:key=value[,key=value]...]; what names mean is the engine's own
// (engine/attention/registry.h). In a command line's list commas separate modes and also a mode's
// options; a part that is key=value without a name before it belongs to the mode on its left.
// Torch-free.
//
//   split_modes("fa,ssa:sink=128,local=2048,fa-ssa") == {"fa", "ssa:sink=128,local=2048", "fa-ssa"}

#include <string>
#include <string_view>
#include <vector>

namespace elastic::engine {

/// Full attention on all heads: what every other mode is compared with.
inline constexpr std::string_view kDenseMode = "fa";

/// "fa-ssa" of "fa-ssa:local=2048".
std::string_view mode_name(std::string_view mode);

/// Whether the name is one of two modes, between which a router or a pattern decides per head.
bool has_two_modes(std::string_view mode);

/// Whether an option fixes which heads are sparse, so that no router decides.
bool has_fixed_heads(std::string_view mode);

/// Whether the model's router decides which heads are sparse: two modes, and no option that fixes
/// the heads. The word `routed` itself is not looked up.
bool router_decides(std::string_view mode);

/// kInvalidArgument where the list starts with an option.
std::vector<std::string> split_modes(std::string_view text);

}  // namespace elastic::engine
