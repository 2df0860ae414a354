#pragma once

// Cuts a text into the words that byte-pair encoding works on: a chain of steps, each of which
// works on the words of the one before, as the `tokenizers` library's pre-tokenizers do. The
// published patterns run as hand-written scanners, others through PCRE2.
//
//   const PreTokenizer cut({SplitStep{.pattern = std::string(pattern_of(ScanKind::kLlama3))}},
//   "x"); cut.for_each_word(text, true, buffer, [&](std::string_view word) { ... });

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/tokenizer/regex.h"
#include "engine/tokenizer/scanner.h"

namespace elastic::engine {

/// What becomes of a match: dropped; a word; the end of the word before it; the beginning of the
/// word after it; one word with the matches beside it.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct SplitStep {
  std::string pattern;  // regular expression
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;  // what lies between the matches is taken for the matches
};

/// Puts `text` in front of words that do not begin with it.
struct PrefixStep {
  std::string text;
  bool first_only = false;  // the word at the very beginning of the text, no other
};

/// Writes `text` for every blank (U+0020).
struct BlankStep {
  std::string text;
};

using PreTokenizerStep = std::variant<SplitStep, PrefixStep, BlankStep>;

class PreTokenizer {
 public:
  /// Texts that steps make, kept from call to call.
  struct Buffer {
    std::string prefixed;
    std::deque<std::string> made;
  };

  PreTokenizer() = default;  // the whole text is one word

  /// kUnsupported naming `source` where a pattern does not compile.
  PreTokenizer(std::vector<PreTokenizerStep> steps, std::string_view source);

  /// `text` must be valid UTF-8; `first`: nothing stood before it (no added token).
  template <typename Use>
  void for_each_word(std::string_view text, bool first, Buffer& buffer, Use&& use) const {
    if (!scan_) {
      for (const Word& word : words_of({text, first}, buffer)) use(word.text);
      return;
    }
    if (!scan_prefix_.empty() && !text.starts_with(scan_prefix_)) {
      text = buffer.prefixed.assign(scan_prefix_).append(text);
    }
    scan(*scan_, text,
         [&](std::size_t begin, std::size_t end) { use(text.substr(begin, end - begin)); });
  }

 private:
  struct Word {
    std::string_view text;
    bool first = false;
  };
  struct Step {
    PreTokenizerStep what;
    std::optional<ScanKind> scan;  // of a SplitStep, else its regex
    std::optional<Regex> regex;
  };

  template <typename Use>
  static void scan(ScanKind kind, std::string_view text, Use&& use) {
    if (kind == ScanKind::kGpt2) return scan_words<ScanKind::kGpt2>(text, use);
    if (kind == ScanKind::kLlama3) return scan_words<ScanKind::kLlama3>(text, use);
    scan_words<ScanKind::kQwen2>(text, use);
  }
  std::vector<Word> words_of(Word text, Buffer& buffer) const;
  static void split(const Step& step, const Word& word, std::vector<Word>& parts);

  // The usual chain, a scan with or without a prefix before it, needs no list of words.
  std::optional<ScanKind> scan_;
  std::string scan_prefix_;
  std::vector<Step> steps_;
};

}  // namespace elastic::engine
