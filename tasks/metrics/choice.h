#pragma once

// The letter that a LongBench-V2 reply settles on (arXiv 2412.15204), as the official scripts
// extract it: asterisks removed, the fixed sentence with the letter in parentheses anywhere, else
// with the bare letter right behind it.
//
//   extract_choice("The correct answer is (B)") == 'B'

#include <optional>
#include <string_view>

namespace elastic::tasks {

std::optional<char> extract_choice(std::string_view reply);

}  // namespace elastic::tasks
