#pragma once

// RULER's metric: which of the references occur in the prediction, case aside (specs: RULER,
// arXiv 2404.06654; its scorer is the same in every upstream generation).
//
//   const std::string answer = ruler_postprocess(prediction);
//   double score = string_match_all(answer, sample.references);   // 0 .. 1
//
// A reference hits where its lower-case text is a substring of the lower-case prediction (full
// Unicode lower-casing, no normalisation, no word boundaries); an empty reference always hits.
// References are never post-processed. No references at all is an error:
// upstream has no score for it either.

#include <span>
#include <string>
#include <string_view>

namespace elastic::tasks {

/// Strips Unicode white space, turns each of U+0000..U+001F into a line feed, strips again.
std::string ruler_postprocess(std::string_view prediction);

/// Share of the references that hit. `prediction` is post-processed. Throws kInvalidArgument.
double string_match_all(std::string_view prediction, std::span<const std::string> references);

/// 1 where any reference hits, else 0. `prediction` is post-processed. Throws kInvalidArgument.
double string_match_part(std::string_view prediction, std::span<const std::string> references);

}  // namespace elastic::tasks
