#include "tasks/ruler/punkt.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "tasks/ruler/punkt_context.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

// A mark that may end a sentence, and what was seen around it.
struct Candidate {
  std::size_t mark = 0;        // its offset
  std::size_t word_start = 0;  // start of the word before it
  std::size_t after_end = 0;   // end of the token behind it
  std::size_t next_start = 0;  // where the next sentence would begin
};

// Position in a scan from left to right: the last candidate, not yet decided,
// and where the open sentence began.
struct ScanState {
  std::optional<Candidate> last;
  std::size_t sentence_start = 0;
  std::size_t slices = 0;   // sentences closed so far
  std::size_t settled = 0;  // everything so far holds for any text that equals this one to here
};

bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::size_t skip_space(std::string_view text, std::size_t offset) {
  while (offset < text.size()) {
    const CodePoint c = code_point_at(text, offset);
    if (!is_space(c.value)) break;
    offset += c.bytes;
  }
  return offset;
}

std::size_t skip_non_space(std::string_view text, std::size_t offset) {
  while (offset < text.size()) {
    const CodePoint c = code_point_at(text, offset);
    if (is_space(c.value)) break;
    offset += c.bytes;
  }
  return offset;
}

// The next candidate at or after `from`; its word_start is still to be found.
std::optional<Candidate> next_candidate(std::string_view text, std::size_t from) {
  for (std::size_t i = text.find_first_of(".?!", from); i != std::string_view::npos;
       i = text.find_first_of(".?!", i + 1)) {
    if (i + 1 >= text.size()) break;
    if (is_non_word(text[i + 1])) return Candidate{i, 0, i + 2, i + 1};
    const std::size_t token = skip_space(text, i + 1);
    if (token > i + 1 && token < text.size()) {
      return Candidate{i, 0, skip_non_space(text, token), token};
    }
  }
  return std::nullopt;
}

// Start of the word before `mark`: behind the last white space since the previous candidate, else
// where that candidate's word began. (A blank right behind the previous candidate does not count.)
std::size_t word_start(std::string_view text, std::size_t mark,
                       const std::optional<Candidate>& last) {
  const std::size_t floor = last ? last->mark : 0;
  for (std::size_t i = mark; i-- > floor;) {
    if (!is_ascii_space(text[i])) continue;
    if (i > floor) return i + 1;
    break;
  }
  return last ? last->word_start : 0;
}

void decide(const PunktParameters& parameters, std::string_view text, ScanState& state,
            std::vector<std::string_view>& slices) {
  const Candidate& last = *state.last;
  const std::string_view context = text.substr(last.word_start, last.after_end - last.word_start);
  if (!context_breaks(parameters, context)) return;
  slices.push_back(text.substr(state.sentence_start, last.mark + 1 - state.sentence_start));
  state.sentence_start = last.next_start;
}

// Continues a scan to the end of the text, calling `visit(state)` after each candidate.
template <typename Visit>
void scan(const PunktParameters& parameters, std::string_view text, ScanState state,
          std::vector<std::string_view>& slices, Visit visit) {
  std::size_t from = state.last ? state.last->mark + 1 : 0;
  while (auto candidate = next_candidate(text, from)) {
    candidate->word_start = word_start(text, candidate->mark, state.last);
    if (state.last && state.last->mark <= candidate->word_start) {
      decide(parameters, text, state, slices);
    }
    from = candidate->mark + 1;
    state.settled = std::max(state.settled, candidate->after_end);
    state.last = candidate;
    state.slices = slices.size();
    visit(state);
  }
  if (state.last) decide(parameters, text, state, slices);
  std::size_t end = text.size();
  while (end > 0) {
    const CodePoint c = code_point_before(text, end);
    if (!is_space(c.value)) break;
    end -= c.bytes;
  }
  const std::size_t begin = std::min(state.sentence_start, end);
  slices.push_back(text.substr(begin, end - begin));
}

// Closing quotes and brackets at the start of a slice that belong to the sentence before it:
// {closers, closers and the white space behind them}; {0, 0} where there are none.
std::pair<std::size_t, std::size_t> closers(std::string_view slice) {
  for (std::size_t i = 0; i < slice.size(); ++i) {
    if (std::string_view("\"')]}").find(slice[i]) == std::string_view::npos) break;
    const std::size_t behind = skip_space(slice, i + 1);
    if (behind > i + 1 || behind == slice.size() || slice.substr(behind).starts_with("--")) {
      return {i + 1, behind};
    }
  }
  return {0, 0};
}

std::vector<std::string_view> realign(const std::vector<std::string_view>& slices) {
  std::vector<std::string_view> sentences;
  sentences.reserve(slices.size());
  std::size_t moved = 0;  // bytes of this slice already given to the sentence before
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const std::string_view slice = slices[i].substr(std::min(moved, slices[i].size()));
    const auto [closing, skipped] =
        i + 1 < slices.size() ? closers(slices[i + 1]) : std::pair<std::size_t, std::size_t>{0, 0};
    moved = skipped;
    if (closing > 0) {
      const char* end = slices[i + 1].data() + closing;
      sentences.emplace_back(slice.data(), static_cast<std::size_t>(end - slice.data()));
    } else if (!slice.empty()) {
      sentences.push_back(slice);
    }
  }
  return sentences;
}

std::vector<std::string> read_lines(const fs::path& path) {
  std::vector<std::string> lines;
  const std::string text = read_file(path);
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

}  // namespace

struct PrefixSentences::Checkpoint {
  ScanState state;
};

PunktParameters load_punkt(const fs::path& folder) {
  PunktParameters parameters;
  for (std::string& line : read_lines(folder / "abbrev_types.txt")) {
    parameters.abbreviations.insert(std::move(line));
  }
  for (std::string& line : read_lines(folder / "collocations.tab")) {
    parameters.collocations.insert(std::move(line));
  }
  for (std::string& line : read_lines(folder / "sent_starters.txt")) {
    parameters.sentence_starters.insert(std::move(line));
  }
  const fs::path orthography = folder / "ortho_context.tab";
  for (const std::string& line : read_lines(orthography)) {
    const std::size_t tab = line.rfind('\t');
    const auto flags =
        tab == std::string::npos ? std::nullopt : parse_int(std::string_view(line).substr(tab + 1));
    if (!flags) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: `{}` is not a word, a tab and a number",
                                                   orthography.string(), line));
    }
    parameters.orthography[line.substr(0, tab)] = static_cast<int>(*flags);
  }
  return parameters;
}

std::vector<std::string_view> punkt_sentences(const PunktParameters& parameters,
                                              std::string_view text) {
  std::vector<std::string_view> slices;
  scan(parameters, text, {}, slices, [](const ScanState&) {});
  return realign(slices);
}

PrefixSentences::PrefixSentences(const PunktParameters& parameters, std::string_view text)
    : parameters_(&parameters), text_(text) {
  scan(parameters, text, {}, slices_,
       [this](const ScanState& state) { checkpoints_.push_back({state}); });
}

PrefixSentences::~PrefixSentences() = default;

std::vector<std::string_view> PrefixSentences::sentences(std::size_t bytes) const {
  const std::string_view prefix = text_.substr(0, bytes);
  const auto after = std::partition_point(
      checkpoints_.begin(), checkpoints_.end(),
      [&](const Checkpoint& checkpoint) { return checkpoint.state.settled < prefix.size(); });
  const ScanState state = after == checkpoints_.begin() ? ScanState{} : std::prev(after)->state;
  std::vector<std::string_view> slices(slices_.begin(),
                                       slices_.begin() + static_cast<std::ptrdiff_t>(state.slices));
  scan(*parameters_, prefix, state, slices, [](const ScanState&) {});
  return realign(slices);
}

}  // namespace elastic::tasks
