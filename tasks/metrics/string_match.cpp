#include "tasks/metrics/string_match.h"

#include <algorithm>

#include "base/error.h"
#include "base/unicode.h"

namespace elastic::tasks {
namespace {

void require_references(std::span<const std::string> references) {
  if (references.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "a sample without references has no string-match score");
  }
}

bool hits(const std::string& lowered_prediction, const std::string& reference) {
  return lowered_prediction.find(lower_case(reference)) != std::string::npos;
}

}  // namespace

std::string ruler_postprocess(std::string_view prediction) {
  std::string text(strip_white_space(prediction));
  // In UTF-8 bytes below 0x20 are these characters and nothing else.
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '\n');
  return std::string(strip_white_space(text));
}

double string_match_all(std::string_view prediction, std::span<const std::string> references) {
  require_references(references);
  const std::string lowered = lower_case(prediction);
  double sum = 0;
  for (const std::string& reference : references) sum += hits(lowered, reference) ? 1.0 : 0.0;
  return sum / static_cast<double>(references.size());
}

double string_match_part(std::string_view prediction, std::span<const std::string> references) {
  require_references(references);
  const std::string lowered = lower_case(prediction);
  const bool any = std::any_of(references.begin(), references.end(),
                               [&](const std::string& r) { return hits(lowered, r); });
  return any ? 1.0 : 0.0;
}

}  // namespace elastic::tasks
