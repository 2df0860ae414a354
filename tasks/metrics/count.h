#pragma once

// LongBench's passage count: the share of the numbers in the prediction that are the truth, as text
// ("05" is not "5"). A number is a maximal run of Unicode decimal digits.
//
//   double score = count_score("there are 5, or 6", "5");   // 0.5

#include <string_view>
#include <vector>

namespace elastic::tasks {

/// Views into `text`.
std::vector<std::string_view> digit_runs(std::string_view text);

/// The run that starts at the beginning of `text`; "" where it starts with something else.
std::string_view leading_digits(std::string_view text);

/// 0 where the prediction has no number.
double count_score(std::string_view prediction, std::string_view truth);

}  // namespace elastic::tasks
