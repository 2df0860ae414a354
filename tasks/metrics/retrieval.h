#pragma once

// LongBench's passage retrieval: the share of the numbers in the prediction that are the number of
// the truth's paragraph.
//
//   double score = retrieval("Paragraph 7.", "Paragraph 7");   // 1

#include <string_view>

namespace elastic::tasks {

/// The truth names its paragraph in English. Throws kInvalidArgument where it names none.
double retrieval(std::string_view prediction, std::string_view truth);

/// The same for the Chinese word.
double retrieval_zh(std::string_view prediction, std::string_view truth);

}  // namespace elastic::tasks
