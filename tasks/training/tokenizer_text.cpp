#include "tasks/training/tokenizer_text.h"

#include "base/text.h"
#include "datasets/haystack.h"
#include "tasks/ruler/prompt_pack.h"
#include "tasks/training/mix_sources.h"
#include "tasks/training/wordings.h"

namespace elastic::tasks {
namespace {

constexpr int kAdjectiveRounds = 60;  // lines per adjective
constexpr int kWordRounds = 2;        // times each word stands in a list of words
constexpr int kWordsPerLine = 16;
constexpr std::int64_t kProseWords = 60000;
constexpr int kInstructionRounds = 60;

void add_words(const std::vector<std::string>& words, MixRandom& random,
               std::vector<std::string>& lines) {
  for (int round = 0; round < kWordRounds; ++round) {
    std::vector<std::string> order = words;
    random.shuffle(order);
    std::string line;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0) line += i % kWordsPerLine == 0 ? "\n" : " ";
      line += order[i];
    }
    for (const std::string_view part : split(line, '\n')) lines.emplace_back(part);
  }
}

// Needle and question of one wording about one key; parts end at line ends.
void add_needle(const std::string& key, MixRandom& random, std::vector<std::string>& lines) {
  const NeedleWording wording =
      random.chance(.5) ? builtin_wordings().needle : own_needle_wording(random);
  lines.push_back(std::string(
      strip(fill_fields(wording.needle, {{"key", key}, {"value", draw_number(random)}}))));
  const std::string& question = random.chance(.5) ? wording.question : wording.many;
  if (random.chance(.1)) {
    lines.push_back(std::string(strip(fill_fields(question, {{"query", key}}))));
  }
}

void add_fixed_texts(MixRandom& random, std::vector<std::string>& lines) {
  const BuiltinWordings& builtin = builtin_wordings();
  for (int i = 0; i < kInstructionRounds; ++i) {
    const ChainWording chain = random.chance(.5) ? builtin.chain : own_chain_wording(random);
    const ListWording list = own_frequent_wording(random);
    for (const std::string* text :
         {&chain.instruction, &chain.question, &list.instruction, &list.question,
          &builtin.common.instruction, &builtin.common.question, &builtin.frequent.instruction,
          &builtin.frequent.question, &builtin.noise}) {
      lines.push_back(std::string(strip(fill_fields(*text, {{"query", "12345"}}))));
    }
    lines.push_back(own_needle_wording(random).instruction);
    lines.push_back(recent_wording(random).instruction);
    for (const std::string& sentence : stock_sentences()) lines.push_back(sentence.substr(1));
  }
}

}  // namespace

std::vector<std::string> tokenizer_lines(const datasets::WordLists& lists, std::uint64_t seed) {
  MixRandom random(MixRandom::combine(seed, 0));
  std::vector<std::string> lines;
  for (int round = 0; round < kAdjectiveRounds; ++round) {
    for (const std::string& adjective : lists.adjectives) {
      if (adjective.empty()) continue;
      add_needle(adjective + "-" + random.pick(lists.nouns), random, lines);
    }
  }
  add_words(datasets::all_words(lists), random, lines);
  add_fixed_texts(random, lines);
  const std::string prose =
      datasets::synthetic_prose(lists, MixRandom::combine(seed, 1), kProseWords);
  for (const std::string_view sentence : split(prose, '.')) {
    if (!strip(sentence).empty()) lines.push_back(std::string(strip(sentence)) + ".");
  }
  return lines;
}

std::vector<std::string> tokenizer_symbols() {
  std::vector<std::string> symbols = {"\n", ".", ",", "?", ":", "=", "-", "VAR", " VAR"};
  for (char letter = 'A'; letter <= 'Z'; ++letter) {
    symbols.emplace_back(1, letter);
    symbols.push_back(std::string(" ") + letter);
  }
  for (char digit = '0'; digit <= '9'; ++digit) symbols.push_back(std::string(" ") + digit);
  return symbols;
}

}  // namespace elastic::tasks
