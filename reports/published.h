#pragma once

// Numbers of the paper (arXiv 2601.17367), to set ours beside: published.json, which is part of the
// program. Scores are 0-100, MSR and ESR 0-1, speed-ups over dense attention (figure 4: of one
// launch over serial dispatch), times in ms.
//
//   for (const PublishedNumber& number : published_numbers("table1")) ...

#include <string>
#include <string_view>
#include <vector>

namespace elastic::reports {

struct PublishedNumber {
  std::string model;     // "Qwen3-4B"; empty where the paper names none
  std::string row;       // a method, a setting or a length, as printed: "FA-SSA", "0.6", "16K"
  std::string column;    // "Code", "128K"
  std::string quantity;  // score, msr, esr, speedup, ms, kept, similarity, value, setting
  double value = 0;
  double tolerance = 0;                 // of a number digitised from a figure
  std::vector<std::string> slips = {};  // what is known to be wrong with it
};

/// Of "table1" to "fig14", in the order printed; empty for an experiment without numbers.
const std::vector<PublishedNumber>& published_numbers(std::string_view experiment);

/// The number of that place, of the model or of none; null where the paper prints none.
const PublishedNumber* find_published(std::string_view experiment, std::string_view model,
                                      std::string_view row, std::string_view column,
                                      std::string_view quantity);

}  // namespace elastic::reports
