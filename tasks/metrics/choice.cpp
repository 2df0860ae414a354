#include "tasks/metrics/choice.h"

#include <algorithm>
#include <string>

namespace elastic::tasks {
namespace {

constexpr std::string_view kSentence = "The correct answer is ";

bool is_choice(char c) { return c >= 'A' && c <= 'D'; }

}  // namespace

std::optional<char> extract_choice(std::string_view reply) {
  std::string text(reply);
  std::erase(text, '*');
  std::optional<char> bare;
  for (std::size_t at = text.find(kSentence); at != std::string::npos;
       at = text.find(kSentence, at + 1)) {
    const std::string_view rest = std::string_view(text).substr(at + kSentence.size());
    if (rest.size() >= 3 && rest[0] == '(' && is_choice(rest[1]) && rest[2] == ')') return rest[1];
    if (!bare && !rest.empty() && is_choice(rest[0])) bare = rest[0];
  }
  return bare;
}

}  // namespace elastic::tasks
