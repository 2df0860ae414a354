#include "tasks/metrics/count.h"

#include <algorithm>

#include "base/unicode.h"
#include "base/utf8.h"

namespace elastic::tasks {

std::string_view leading_digits(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size()) {
    const CodePoint c = code_point_at(text, end);
    if (!is_decimal_digit(c.value)) break;
    end += c.bytes;
  }
  return text.substr(0, end);
}

std::vector<std::string_view> digit_runs(std::string_view text) {
  std::vector<std::string_view> runs;
  while (!text.empty()) {
    const std::string_view run = leading_digits(text);
    if (!run.empty()) runs.push_back(run);
    text.remove_prefix(run.empty() ? code_point_at(text, 0).bytes : run.size());
  }
  return runs;
}

double count_score(std::string_view prediction, std::string_view truth) {
  const std::vector<std::string_view> numbers = digit_runs(prediction);
  if (numbers.empty()) return 0;
  const auto right = std::count(numbers.begin(), numbers.end(), truth);
  return static_cast<double>(right) / static_cast<double>(numbers.size());
}

}  // namespace elastic::tasks
