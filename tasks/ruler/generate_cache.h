#pragma once

// A generated set as an entry of the cache: a line {"data_id": ..., "sha256": ...} over the lines
// themselves, which follow.

#include <optional>
#include <string>
#include <string_view>

#include "tasks/ruler/generate.h"

namespace elastic::tasks {

std::string cache_entry(const GeneratedSet& set);

/// Lines and data_id; nothing where the entry is not what its hash says.
std::optional<GeneratedSet> parse_cache_entry(std::string_view text);

}  // namespace elastic::tasks
