#include "engine/tokenizer/pretokenizer.h"

#include <algorithm>
#include <array>

#include "base/text.h"

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

std::optional<ScanKind> known_scan(const PreTokenizerStep& step) {
  const auto* split = std::get_if<SplitStep>(&step);
  if (split == nullptr || split->invert || split->behavior != SplitBehavior::kIsolated) return {};
  for (const KnownPattern& known : kKnownPatterns) {
    if (known.pattern == split->pattern) return known.kind;
  }
  return {};
}

// A match or what lies between two.
struct Span {
  std::size_t begin = 0, end = 0;
  bool match = false;
};

std::vector<Span> spans_of(const Regex& regex, std::string_view text, bool invert) {
  std::vector<Span> spans;
  std::size_t done = 0;
  regex.for_each_match(text, [&](std::size_t begin, std::size_t end) {
    if (begin > done) spans.push_back({done, begin, invert});
    spans.push_back({begin, end, !invert});
    done = end;
  });
  if (done < text.size()) spans.push_back({done, text.size(), invert});
  return spans;
}

// A match joins the span before it unless that is a match too; in a reversed list, the one after.
std::vector<Span> joined(const std::vector<Span>& spans) {
  std::vector<Span> out;
  bool after_match = false;
  for (const Span& span : spans) {
    if (span.match && !after_match && !out.empty()) {
      out.back() = {std::min(out.back().begin, span.begin), std::max(out.back().end, span.end)};
    } else {
      out.push_back(span);
    }
    after_match = span.match;
  }
  return out;
}

std::vector<Span> contiguous(const std::vector<Span>& spans) {
  std::vector<Span> out;
  for (const Span& span : spans) {
    if (!out.empty() && out.back().match == span.match) {
      out.back().end = span.end;
    } else {
      out.push_back(span);
    }
  }
  return out;
}

std::vector<Span> arranged(std::vector<Span> spans, SplitBehavior behavior) {
  switch (behavior) {
    case SplitBehavior::kRemoved:
      std::erase_if(spans, [](const Span& span) { return span.match; });
      return spans;
    case SplitBehavior::kIsolated:
      return spans;
    case SplitBehavior::kMergedWithPrevious:
      return joined(spans);
    case SplitBehavior::kMergedWithNext:
      std::reverse(spans.begin(), spans.end());
      spans = joined(spans);
      std::reverse(spans.begin(), spans.end());
      return spans;
    case SplitBehavior::kContiguous:
      return contiguous(spans);
  }
  return spans;
}

}  // namespace

std::string_view pattern_of(ScanKind kind) {
  return kKnownPatterns[static_cast<std::size_t>(kind)].pattern;
}

PreTokenizer::PreTokenizer(std::vector<PreTokenizerStep> steps, std::string_view source) {
  const auto* prefix = steps.size() == 2 ? std::get_if<PrefixStep>(&steps.front()) : nullptr;
  if (steps.size() == 1 || (prefix != nullptr && !prefix->first_only)) {
    scan_ = known_scan(steps.back());
    if (scan_ && prefix != nullptr) scan_prefix_ = prefix->text;
  }
  if (scan_) return;
  for (PreTokenizerStep& what : steps) {
    Step step{.what = std::move(what), .scan = {}, .regex = {}};
    step.scan = known_scan(step.what);
    const auto* split = std::get_if<SplitStep>(&step.what);
    if (split != nullptr && !step.scan) step.regex.emplace(split->pattern, source);
    steps_.push_back(std::move(step));
  }
}

void PreTokenizer::split(const Step& step, const Word& word, std::vector<Word>& parts) {
  const auto add = [&](std::size_t begin, std::size_t end) {
    if (end > begin)
      parts.push_back({word.text.substr(begin, end - begin), word.first && begin == 0});
  };
  if (step.scan) return scan(*step.scan, word.text, add);
  const auto& how = std::get<SplitStep>(step.what);
  for (const Span& span : arranged(spans_of(*step.regex, word.text, how.invert), how.behavior)) {
    add(span.begin, span.end);
  }
}

std::vector<PreTokenizer::Word> PreTokenizer::words_of(Word text, Buffer& buffer) const {
  buffer.made.clear();
  std::vector<Word> words = {text};
  for (const Step& step : steps_) {
    if (const auto* prefix = std::get_if<PrefixStep>(&step.what)) {
      for (Word& word : words) {
        if (word.text.starts_with(prefix->text) || (prefix->first_only && !word.first)) continue;
        word.text = buffer.made.emplace_back(prefix->text).append(word.text);
      }
    } else if (const auto* blank = std::get_if<BlankStep>(&step.what)) {
      for (Word& word : words) {
        word.text = buffer.made.emplace_back(replace_all(word.text, " ", blank->text));
      }
    } else {
      std::vector<Word> parts;
      for (const Word& word : words) split(step, word, parts);
      words.swap(parts);
    }
  }
  return words;
}

}  // namespace elastic::engine
