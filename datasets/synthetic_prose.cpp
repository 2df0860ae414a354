#include <array>

#include "base/error.h"
#include "base/python_random.h"
#include "datasets/haystack.h"

namespace elastic::datasets {
namespace {

constexpr std::size_t kLongestNoun = 4;  // letters: short nouns are single tokens more often
constexpr std::int64_t kWordsPerSentence = 10;
constexpr std::array<std::string_view, 10> kVerbs = {"holds", "finds", "gives", "leaves", "takes",
                                                     "keeps", "sees",  "moves", "wants",  "meets"};

bool is_plain(const std::string& word) {
  return word.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos;
}

}  // namespace

std::string synthetic_prose(const WordLists& lists, std::uint64_t seed, std::int64_t words) {
  std::vector<std::string> nouns, adjectives;
  for (const std::string& noun : lists.nouns) {
    if (is_plain(noun) && noun.size() > 2 && noun.size() <= kLongestNoun) nouns.push_back(noun);
  }
  for (const std::string& adjective : lists.adjectives) {
    if (is_plain(adjective) && !adjective.empty()) adjectives.push_back(adjective);
  }
  if (nouns.empty() || adjectives.empty()) {
    throw Error(ErrorKind::kCorrupt, "word lists without plain nouns or adjectives");
  }
  PythonRandom random(seed);
  const auto pick = [&random](const auto& items) -> decltype(auto) {
    return items[random.below(items.size())];
  };
  std::string prose;
  for (std::int64_t count = 0; count < words; count += kWordsPerSentence) {
    if (count > 0) prose += ' ';
    (prose += "the ") += pick(adjectives);
    (prose += ' ') += pick(nouns);
    (prose += ' ') += pick(kVerbs);
    (prose += " a ") += pick(nouns);
    (prose += " near the ") += pick(adjectives);
    (prose += ' ') += pick(nouns);
    prose += '.';
  }
  return prose;
}

}  // namespace elastic::datasets
