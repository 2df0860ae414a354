#pragma once

// Long running text to hide needles in: words folded to single blanks, addressed by word count.
//
//   const Haystack essays = load_essays(data / "ruler/PaulGrahamEssays.json");
//   std::string_view text = essays.prefix(5000);   // the first 5000 words, joined by blanks

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/word_lists.h"

namespace elastic::datasets {

class Haystack {
 public:
  /// Every run of Unicode white space in `text` becomes one blank; words are what lies between
  /// single blanks, so a text that ends in white space ends in an empty word.
  explicit Haystack(std::string_view text);

  std::int64_t word_count() const { return static_cast<std::int64_t>(word_ends_.size()); }

  /// The whole folded text.
  const std::string& text() const { return text_; }

  /// The first `words` words (all of them where there are not as many) joined by blanks, without
  /// white space at the ends: a view into text().
  std::string_view prefix(std::int64_t words) const;

  /// The words over and over, cut to `words`, joined by blanks, without white space at the ends.
  std::string repeated(std::int64_t words) const;

 private:
  std::string text_;
  std::vector<std::size_t> word_ends_;  // offset behind each word
};

/// The field `text` of a JSON object. kNotFound / kCorrupt.
Haystack load_essays(const std::filesystem::path& file);

/// Prose of our own for the built-in profile: `words` words of grammar sentences ("the ADJECTIVE
/// NOUN keeps a NOUN near the ADJECTIVE NOUN."), drawn from `seed`, the same on every machine.
std::string synthetic_prose(const WordLists& lists, std::uint64_t seed, std::int64_t words);

}  // namespace elastic::datasets
