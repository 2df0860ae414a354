#pragma once

// The text that the demo model's tokenizer is learned from: the wordings of the synthetic mixture
// filled with the word lists, each adjective often enough to become one piece.
//
//   const std::vector<std::string> lines = tokenizer_lines(load_word_lists(folder), 1);

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/word_lists.h"

namespace elastic::tasks {

/// Lines without line ends, the same for equal lists and seed.
std::vector<std::string> tokenizer_lines(const datasets::WordLists& lists, std::uint64_t seed);

/// Symbols that are pieces of their own, so that what stands beside them is encoded as if alone:
/// line end, marks, "VAR", capitals, and digits and capitals behind a blank.
std::vector<std::string> tokenizer_symbols();

}  // namespace elastic::tasks
