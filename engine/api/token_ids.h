#pragma once

// Token ids as users write them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace elastic::engine {

/// Of a text: separated by commas or white space, or a JSON list. Throws kInvalidArgument naming
/// `source` and what is no id; at least one id comes back.
std::vector<std::int32_t> parse_ids(std::string text, std::string_view source);

/// The list `ids` of a JSON object. Throws kCorrupt naming `where` and what is no id of a
/// vocabulary of that size.
std::vector<std::int32_t> ids_of_line(const Json& line, const std::string& where,
                                      std::int64_t vocab_size);

}  // namespace elastic::engine
