#pragma once

// Token ids as a user writes them: separated by commas or white space, or a JSON list.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::harness {

/// Throws kInvalidArgument naming `source` and what is no id; at least one id comes back.
std::vector<std::int32_t> parse_ids(std::string text, std::string_view source);

}  // namespace elastic::harness
