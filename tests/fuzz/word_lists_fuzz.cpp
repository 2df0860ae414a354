// Word lists (nouns, adjectives, verbs, cut at zero bytes) and the word table: any bytes are words
// or an Error; the keys made of them ascend, each once.

#include "base/error.h"
#include "datasets/word_lists.h"
#include "tests/fuzz/input_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elastic;
  static const testing::InputFolder folder{"nounlist.txt", "adjectivelist.txt", "verblist.txt"};
  static const testing::InputFile table;
  const std::string_view text = testing::input_text(data, size);
  folder.set(text);
  const datasets::WordLists lists = datasets::load_word_lists(folder.path());
  datasets::all_words(lists);
  constexpr std::size_t kMost = 200;  // words a list: the pool has their product
  if (lists.nouns.size() <= kMost && lists.adjectives.size() <= kMost) {
    const datasets::KeyPool keys(lists.adjectives, lists.nouns);
    for (std::uint64_t i = 1; i < keys.size(); ++i) check(keys[i - 1] < keys[i], "keys ascend");
  }
  table.set(text);
  try {
    datasets::load_english_words(table.path());
  } catch (const Error&) {
  }
  return 0;
}
