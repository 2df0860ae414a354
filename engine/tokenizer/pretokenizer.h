#pragma once

// Cuts a text into the words that byte-pair encoding works on: a chain of steps, each of which cuts
// the pieces of the one before. The published patterns run as hand-written scanners, others through
// PCRE2.
//
//   const PreTokenizer cut({{.pattern = std::string(pattern_of(ScanKind::kLlama3))}}, "x.json");
//   cut.for_each_word(text, [&](std::string_view word) { ... });

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/regex.h"
#include "engine/tokenizer/scanner.h"

namespace elastic::engine {

struct SplitStep {
  std::string pattern;    // regular expression
  bool keep_gaps = true;  // text between matches is a word too
};

class PreTokenizer {
 public:
  PreTokenizer() = default;  // the whole text is one word

  /// kUnsupported naming `source` where a pattern does not compile.
  PreTokenizer(const std::vector<SplitStep>& steps, std::string_view source);

  /// `text` must be valid UTF-8.
  template <typename Use>
  void for_each_word(std::string_view text, Use&& use) const {
    const auto part = [&](std::size_t begin, std::size_t end) {
      use(text.substr(begin, end - begin));
    };
    if (scan_ == ScanKind::kGpt2) return scan_words<ScanKind::kGpt2>(text, part);
    if (scan_ == ScanKind::kLlama3) return scan_words<ScanKind::kLlama3>(text, part);
    if (scan_ == ScanKind::kQwen2) return scan_words<ScanKind::kQwen2>(text, part);
    for (const std::string_view word : cut_by_regex(text)) use(word);
  }

 private:
  struct Step {
    Regex regex;
    bool keep_gaps;
  };
  std::vector<std::string_view> cut_by_regex(std::string_view text) const;

  std::optional<ScanKind> scan_;
  std::vector<Step> steps_;
};

}  // namespace elastic::engine
