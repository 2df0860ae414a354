// Frequent words extraction: a text of coded words whose frequencies fall as a power of their rank
// (alpha = 2); the most frequent of all is a row of dots, to be ignored.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/error.h"
#include "tasks/ruler/generation.h"

namespace elastic::tasks {
namespace {

constexpr double kAlpha = 2.0;
constexpr double kZetaOfAlpha = 1.6449340668482264;
constexpr std::int64_t kTokensPerWord = 50;  // of the length, per word of the vocabulary
constexpr int kLetters = 6;
constexpr std::size_t kAnswers = 3;
constexpr std::int64_t kSteps = 32;     // the search's step is a 32nd of the length
constexpr std::int64_t kStartPart = 6;  // and its start a 6th
constexpr std::int64_t kMaxWordsPerToken = 64;

// As many words as `words` yields, each k-th ranked one trunc(words * k^-2 / zeta(2)) times.
std::vector<std::size_t> zipf_ranks(std::int64_t words, std::size_t vocabulary) {
  std::vector<std::size_t> ranks;
  for (std::size_t rank = 0; rank < vocabulary; ++rank) {
    const std::int64_t count = zipf_count(words, static_cast<std::int64_t>(rank) + 1);
    if (count <= 0) break;
    ranks.insert(ranks.end(), static_cast<std::size_t>(count), rank);
  }
  return ranks;
}

std::vector<std::string> draw_vocabulary(std::size_t size, Streams& streams) {
  std::vector<std::string> drawn;
  std::vector<std::string> words;
  while (words.size() < size) {
    // Upstream counts the distinct words after the first `size` draws and after each further one.
    const std::size_t missing = drawn.empty() ? size : 1;
    for (std::size_t i = 0; i < missing; ++i) {
      drawn.push_back(streams.main.choices("abcdefghijklmnopqrstuvwxyz", kLetters));
    }
    words = drawn;
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
  }
  streams.fixed_shuffle(words);
  words.front() = "...";
  return words;
}

class FrequentWordsGenerator {
 public:
  FrequentWordsGenerator(const GenerationJob& job, Streams& streams)
      : job_(job),
        streams_(streams),
        template_(job.full_template()),
        budget_(job.texts().tokens_to_generate),
        room_(job.vintage == Vintage::kGenA ? job.length : job.length - budget_) {
    if (room_ < kSteps || room_vocabulary() <= kAnswers) throw TooShort(smallest_length());
  }

  // Words of the first text, found by growing it.
  std::int64_t find_size() {
    const std::vector<std::string> vocabulary = draw_vocabulary(room_vocabulary(), streams_);
    const std::int64_t step = room_ / kSteps;
    std::int64_t words = room_ / kStartPart;
    while (count(text(vocabulary, words)) < room_) {
      words += step;
      if (words > room_ * kMaxWordsPerToken) {
        throw Error(ErrorKind::kInvalidArgument,
                    fmt::format("the token counter counts less than one token in {} words: no "
                                "prompt of a given length can be made with it",
                                kMaxWordsPerToken));
      }
    }
    return words - step;
  }

  RulerRecord make(std::int64_t index, std::int64_t words) {
    const std::vector<std::string> vocabulary = draw_vocabulary(room_vocabulary(), streams_);
    std::string prompt = text(vocabulary, words);
    std::int64_t tokens = count(prompt);
    while (tokens > room_) {
      words -= room_ / kSteps;
      if (words <= 0) throw TooShort(tokens);
      prompt = text(vocabulary, words);
      tokens = count(prompt);
    }
    if (job_.remove_newline_tab) prompt = one_line(prompt);
    return make_record(job_, index, std::move(prompt),
                       {vocabulary.begin() + 1, vocabulary.begin() + 1 + kAnswers},
                       tokens + budget_);
  }

 private:
  std::size_t room_vocabulary() const { return static_cast<std::size_t>(room_ / kTokensPerWord); }
  std::int64_t smallest_length() const {
    return (static_cast<std::int64_t>(kAnswers) + 1) * kTokensPerWord + (job_.length - room_);
  }
  std::int64_t count(const std::string& prompt) const { return job_.count_tokens(prompt); }

  std::string text(const std::vector<std::string>& vocabulary, std::int64_t words) const {
    std::vector<std::size_t> ranks = zipf_ranks(words, vocabulary.size());
    streams_.fixed_shuffle(ranks);
    std::string context;
    for (const std::size_t rank : ranks) {
      if (!context.empty()) context += ' ';
      context += vocabulary[rank];
    }
    return fill_fields(template_, {{"context", context}, {"query", ""}});
  }

  const GenerationJob& job_;
  Streams& streams_;
  std::string template_;
  std::int64_t budget_;
  std::int64_t room_;  // tokens of the prompt: gen-A keeps none for the answer
};

}  // namespace

std::int64_t zipf_count(std::int64_t words, std::int64_t rank) {
  return static_cast<std::int64_t>(static_cast<double>(words) *
                                   std::pow(static_cast<double>(rank), -kAlpha) / kZetaOfAlpha);
}

std::vector<RulerRecord> generate_frequent_words(const GenerationJob& job, SearchTrace& trace) {
  Streams streams(job.seed);
  FrequentWordsGenerator generator(job, streams);
  const std::int64_t words = generator.find_size();
  trace.sizes.push_back(words);
  if (words <= 0) throw TooShort(0);
  std::vector<RulerRecord> records;
  for (std::int64_t i = 0; i < job.count; ++i) records.push_back(generator.make(i, words));
  return records;
}

}  // namespace elastic::tasks
