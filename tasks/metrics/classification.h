#pragma once

// LongBench's classification score: the truth is among the labels that the prediction mentions,
// divided by how many those are. The official pruning of labels that are part of the truth deletes
// from the list it walks, so the label after a deleted one is never looked at; that is kept.
//
//   double score = classification(prediction, truth, all_classes);   // 0 .. 1

#include <span>
#include <string>
#include <string_view>

namespace elastic::tasks {

double classification(std::string_view prediction, std::string_view truth,
                      std::span<const std::string> classes);

}  // namespace elastic::tasks
