#pragma once

// Sentence splitting by the Punkt method (Kiss & Strunk 2006, "Unsupervised Multilingual Sentence
// Boundary Detection"), sentence for sentence as the NLTK English model splits. Needed because
// RULER puts needles between sentences.
//
//   const Punkt punkt = Punkt::load(data / "ruler/punkt_tab_english");
//   std::vector<std::string_view> sentences = punkt.sentences(text);   // views into `text`

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace elastic::tasks {

/// What the method learns from a corpus. Empty: splits at every mark that ends a word.
struct PunktParameters {
  std::unordered_set<std::string> abbreviations;  // without the final full stop
  std::unordered_set<std::string> collocations;   // "first\tsecond", never split between
  std::unordered_set<std::string> sentence_starters;
  std::unordered_map<std::string, int> orthography;  // type -> flags of how it was seen
};

/// Reads abbrev_types.txt, collocations.tab, sent_starters.txt and
/// ortho_context.tab. kNotFound / kCorrupt.
PunktParameters load_punkt(const std::filesystem::path& folder);

std::vector<std::string_view> punkt_sentences(const PunktParameters& parameters,
                                              std::string_view text);

/// Sentences of many prefixes of one text: the text is scanned once, a prefix only from the last
/// boundary whose decision cannot depend on what lies behind the prefix.
class PrefixSentences {
 public:
  /// `parameters` and `text` must outlive the object.
  PrefixSentences(const PunktParameters& parameters, std::string_view text);

  ~PrefixSentences();
  PrefixSentences(const PrefixSentences&) = delete;
  PrefixSentences& operator=(const PrefixSentences&) = delete;

  /// The same as punkt_sentences(parameters, text.substr(0, bytes)). Thread-safe.
  std::vector<std::string_view> sentences(std::size_t bytes) const;

 private:
  struct Checkpoint;

  const PunktParameters* parameters_;
  std::string_view text_;
  std::vector<Checkpoint> checkpoints_;
  std::vector<std::string_view> slices_;  // of the whole text, before realignment
};

}  // namespace elastic::tasks
