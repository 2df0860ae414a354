#include "engine/tokenizer/pretokenizer.h"

#include <array>

namespace elastic::engine {
namespace {

struct KnownPattern {
  ScanKind kind;
  std::string_view pattern;
};

constexpr std::array kKnownPatterns = {
    KnownPattern{ScanKind::kGpt2,
                 R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    KnownPattern{ScanKind::kLlama3,
                 R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
                 R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    KnownPattern{ScanKind::kQwen2, R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
                                   R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

}  // namespace

std::string_view pattern_of(ScanKind kind) {
  return kKnownPatterns[static_cast<std::size_t>(kind)].pattern;
}

PreTokenizer::PreTokenizer(const std::vector<SplitStep>& steps, std::string_view source) {
  if (steps.size() == 1 && steps.front().keep_gaps) {
    for (const KnownPattern& known : kKnownPatterns) {
      if (known.pattern == steps.front().pattern) scan_ = known.kind;
    }
  }
  if (scan_) return;
  for (const SplitStep& step : steps) {
    steps_.push_back({Regex(step.pattern, source), step.keep_gaps});
  }
}

std::vector<std::string_view> PreTokenizer::cut_by_regex(std::string_view text) const {
  std::vector<std::string_view> words = {text};
  for (const Step& step : steps_) {
    std::vector<std::string_view> parts;
    for (const std::string_view word : words) {
      std::size_t done = 0;
      const auto gap = [&](std::size_t end) {
        if (step.keep_gaps && end > done) parts.push_back(word.substr(done, end - done));
      };
      step.regex.for_each_match(word, [&](std::size_t begin, std::size_t end) {
        gap(begin);
        parts.push_back(word.substr(begin, end - begin));
        done = end;
      });
      gap(word.size());
    }
    words.swap(parts);
  }
  return words;
}

}  // namespace elastic::engine
