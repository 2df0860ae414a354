#pragma once

// Word pools for synthetic prompts: the wonderwords lists and what RULER derives from them.
//
//   const WordLists lists = load_word_lists(data / "ruler/wonderwords-3.0.1");
//   const KeyPool keys(lists.adjectives, lists.nouns);   // "able-acid" ... in code-point order
//   std::string key = keys[random.below(keys.size())];
//
// All pools are sorted by code point, which is byte order in UTF-8.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace elastic::datasets {

struct WordLists {
  std::vector<std::string> nouns, adjectives, verbs;  // in file order, trailing white space cut
};

/// Reads nounlist.txt, adjectivelist.txt and verblist.txt. kNotFound / kIo.
WordLists load_word_lists(const std::filesystem::path& folder);

/// Nouns, adjectives and verbs, sorted, each once.
std::vector<std::string> all_words(const WordLists& lists);

/// The values of a JSON object of strings, in file order. kNotFound / kCorrupt.
std::vector<std::string> load_english_words(const std::filesystem::path& file);

/// The sorted set of "adjective-noun" of all pairs, six million entries, without building it:
/// adjectives whose combinations do not interleave with others' are addressed by arithmetic.
/// A few (where "a-" begins "a-b-") are merged into explicit lists.
class KeyPool {
 public:
  KeyPool(const std::vector<std::string>& adjectives, const std::vector<std::string>& nouns);

  std::uint64_t size() const { return size_; }
  std::string operator[](std::uint64_t index) const;

 private:
  struct Block {
    std::uint64_t first = 0;                    // index of its first entry
    std::string prefix;                         // "adjective-" where the entries are prefix + noun
    std::vector<std::string> explicit_entries;  // otherwise
  };

  std::vector<std::string> nouns_;
  std::vector<Block> blocks_;
  std::uint64_t size_ = 0;
};

}  // namespace elastic::datasets
