#pragma once

// What the options of head modes mean, for readers of a report (docs/methods.md has the whole
// story). scripts/check_registries.py holds the names to those that the engine's registry lists.

#include <string_view>

namespace elastic::reports {

/// Of `option` in the head mode `mode` ("nsa"); empty where the option is not known.
std::string_view option_meaning(std::string_view mode, std::string_view option);

}  // namespace elastic::reports
