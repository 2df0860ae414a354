#include "tasks/metrics/retrieval.h"

#include <fmt/format.h>

#include <string>

#include "base/error.h"
#include "tasks/metrics/count.h"

namespace elastic::tasks {
namespace {

constexpr std::string_view kEnglish = "Paragraph ";
constexpr std::string_view kChinese = "\u6bb5\u843d";

std::string_view paragraph_number(std::string_view truth, std::string_view word) {
  for (std::size_t at = truth.find(word); at != std::string_view::npos;
       at = truth.find(word, at + 1)) {
    const std::string_view digits = leading_digits(truth.substr(at + word.size()));
    if (!digits.empty()) return digits;
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("the truth `{}` names no paragraph (`{}` and a number): a retrieval set "
                          "cannot be scored against it",
                          std::string(truth.substr(0, 60)), word));
}

}  // namespace

double retrieval(std::string_view prediction, std::string_view truth) {
  return count_score(prediction, paragraph_number(truth, kEnglish));
}

double retrieval_zh(std::string_view prediction, std::string_view truth) {
  return count_score(prediction, paragraph_number(truth, kChinese));
}

}  // namespace elastic::tasks
