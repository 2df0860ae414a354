#pragma once

// Hand-written equivalents of the published pre-tokenizer patterns (a test holds them equal to the
// regular expressions on random text). They walk valid UTF-8 once
// and call `use(begin, end)` for every word.
//
//   scan_words<ScanKind::kLlama3>(text, [&](std::size_t begin, std::size_t end) { ... });

#include <cstdint>
#include <string_view>

#include "base/utf8.h"
#include "engine/tokenizer/char_class.h"

namespace elastic::engine {

enum class ScanKind {
  kGpt2,    // contractions, ` ?letters`, ` ?numbers`, ` ?others`, white space
  kLlama3,  // any-case contractions, letters with one leading other, 1-3 numbers, lines
  kQwen2,   // as kLlama3 with single numbers
};

/// The regular expression that a kind stands for, as written in tokenizer.json files.
std::string_view pattern_of(ScanKind kind);

class Scanner {
 public:
  explicit Scanner(std::string_view text)
      : text_(text), classes_(char_classes()), size_(text.size()) {}

  template <ScanKind Kind>
  std::size_t word_end(std::size_t at) const {
    if constexpr (Kind == ScanKind::kGpt2) return gpt2_end(at);
    return line_end < Kind == ScanKind::kLlama3 ? 3 : 1 > (at);
  }

 private:
  struct Char {
    std::uint32_t value;
    std::uint8_t flags;
    std::size_t end;  // offset after it
  };

  Char char_at(std::size_t at) const {
    const CodePoint c = decode_utf8(text_, at);
    return {c.value, classes_[c.value], at + c.bytes};
  }

  // End of the run of characters from `at` on whose flags meet `wanted` but not `unwanted`.
  std::size_t run_end(std::size_t at, std::uint8_t wanted) const {
    while (at < size_) {
      const Char c = char_at(at);
      if (!(c.flags & wanted)) break;
      at = c.end;
    }
    return at;
  }

  std::size_t others_end(std::size_t at) const {
    while (at < size_) {
      const Char c = char_at(at);
      if (c.flags & (kLetter | kNumber | kSpace)) break;
      at = c.end;
    }
    return at;
  }

  static bool is_other(std::uint8_t flags) { return !(flags & (kLetter | kNumber | kSpace)); }

  // 's 't 'm 'd 're 've 'll after the apostrophe at `at`; 0 where there is none.
  template <bool AnyCase>
  std::size_t contraction_end(std::size_t at) const {
    const auto byte = [&](std::size_t i) -> char {
      if (at + i >= size_) return '\0';
      const char c = text_[at + i];
      return AnyCase && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    };
    const char first = byte(1), second = byte(2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
    if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
        (first == 'l' && second == 'l')) {
      return at + 3;
    }
    // U+017F, the long s, is an s in another case.
    if (AnyCase && first == '\xC5' && second == '\xBF') return at + 3;
    return 0;
  }

  // White space up to where a following word begins: \s+(?!\S) or, for one character, \s+.
  std::size_t blanks_end(std::size_t at, std::size_t run) const {
    if (run == size_) return run;
    const std::size_t last = previous_utf8(text_, run);
    return last > at ? last : run;
  }

  std::size_t gpt2_end(std::size_t at) const {
    const Char c = char_at(at);
    if (c.value == '\'') {
      if (const std::size_t end = contraction_end<false>(at)) return end;
    }
    Char lead = c;
    if (c.value == ' ' && c.end < size_) lead = char_at(c.end);
    if (lead.flags & kLetter) return run_end(lead.end, kLetter);
    if (lead.flags & kNumber) return run_end(lead.end, kNumber);
    if (is_other(lead.flags)) return others_end(lead.end);
    return blanks_end(at, run_end(c.end, kSpace));
  }

  template <int MaxNumbers>
  std::size_t line_end(std::size_t at) const {
    const Char c = char_at(at);
    if (c.flags & kLetter) return run_end(c.end, kLetter);
    if (c.value == '\'') {
      if (const std::size_t end = contraction_end<true>(at)) return end;
    }
    if (c.flags & kNumber) return numbers_end<MaxNumbers>(c.end);
    if (!(c.flags & kNewline) && c.end < size_) {
      const Char second = char_at(c.end);
      if (second.flags & kLetter) return run_end(second.end, kLetter);
      if (c.value == ' ' && is_other(second.flags)) return symbols_end(second.end);
    }
    if (!(c.flags & kSpace)) return symbols_end(c.end);
    const std::size_t run = run_end(c.end, kSpace);
    for (std::size_t end = run; end > at;
         --end) {  // a run with a line end stops after its last one
      if (text_[end - 1] == '\n' || text_[end - 1] == '\r') return end;
    }
    return blanks_end(at, run);
  }

  template <int MaxNumbers>
  std::size_t numbers_end(std::size_t at) const {
    for (int i = 1; i < MaxNumbers && at < size_; ++i) {
      const Char c = char_at(at);
      if (!(c.flags & kNumber)) break;
      at = c.end;
    }
    return at;
  }

  std::size_t symbols_end(std::size_t at) const {
    at = others_end(at);
    while (at < size_ && (text_[at] == '\n' || text_[at] == '\r')) ++at;
    return at;
  }

  std::string_view text_;
  const CharClasses& classes_;
  std::size_t size_;
};

template <ScanKind Kind, typename Use>
void scan_words(std::string_view text, Use&& use) {
  const Scanner scanner(text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = scanner.word_end<Kind>(at);
    use(at, end);
    at = end;
  }
}

}  // namespace elastic::engine
