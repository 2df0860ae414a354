#pragma once

// LongBench's code completion score: similarity of the prediction's first code line and the truth,
// in whole percent. Two definitions are in use, by whether an optional C extension was installed
// beside the official scorer's package; both are here, and every result names its own.
//
//   double score = code_similarity(prediction, truth, CodeSimilarity::kDifflib);   // 0 .. 1
//
//   kDifflib  2 M / T, M the size of Python difflib's matching blocks (what an install of the
//             official requirements gives); not symmetric
//   kIndel    1 - (T - 2 L) / T, L the longest common subsequence
//   T = length of both together, in characters; the ratio is rounded to whole percent, half to even

#include <string_view>

namespace elastic::tasks {

enum class CodeSimilarity { kDifflib, kIndel };

std::string_view to_string(CodeSimilarity mode);  // "difflib" | "indel"

/// The first line, leading line feeds aside, without back-tick, hash sign or two slashes.
std::string_view first_code_line(std::string_view prediction);

double code_similarity(std::string_view prediction, std::string_view truth, CodeSimilarity mode);

}  // namespace elastic::tasks
