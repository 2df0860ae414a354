// Common words extraction: a numbered list in which ten words come back more often than the rest,
// with one worked example in front.

#include "base/text.h"
#include "tasks/ruler/generation.h"

namespace elastic::tasks {
namespace {

constexpr std::int64_t kAnswers = 10;
constexpr std::int64_t kStep = 10;
constexpr std::int64_t kMeasuredSize = 4096;  // words of gen-B's first draw
constexpr std::int64_t kShortLength = 4096;   // tokens

// How large the lists are: words, repeats of a common word, repeats of another.
struct ListShape {
  std::int64_t words = 0;
  int common = 0, uncommon = 0;
};

struct NumberedList {
  std::string text;
  std::vector<std::string> answers;
};

std::string numbered(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += ' ';
    (text += std::to_string(i + 1)) += ". ";
    text += words[i];
  }
  return text;
}

class CommonWordsGenerator {
 public:
  CommonWordsGenerator(const GenerationJob& job, Streams& streams)
      : job_(job), streams_(streams), template_(job.full_template()), words_(job.sources->words()) {
    streams_.fixed_shuffle(words_);
  }

  std::int64_t word_count() const { return static_cast<std::int64_t>(words_.size()); }

  Draft draw(std::int64_t size) {
    const bool small = job_.length < kShortLength;
    Draft draft;
    if (job_.with_examples()) {
      const NumberedList shot = draw_list(small ? ListShape{20, 3, 1} : ListShape{40, 10, 3});
      draft.prompt = fill(shot.text);
      if (job_.vintage == Vintage::kGenB) draft.prompt += ' ';
      (draft.prompt += numbered(shot.answers)) += '\n';
    }
    NumberedList list = draw_list(small ? ListShape{size, 6, 1} : ListShape{size, 30, 3});
    draft.prompt += fill(list.text);
    draft.answers = std::move(list.answers);
    return draft;
  }

 private:
  std::string fill(std::string_view context) const {
    return fill_fields(template_, {{"context", context}, {"query", ""}, {"num_cw", "10"}});
  }

  std::vector<std::string> draw_words(std::int64_t count) {
    std::vector<std::string> drawn;
    if (job_.vintage == Vintage::kGenB && count > word_count()) {
      const WordSource& large = job_.sources->large_dictionary();
      for (const std::size_t i : streams_.main.sample(large.size, count))
        drawn.push_back(large.at(i));
    } else {
      for (const std::size_t i : streams_.main.sample(words_.size(), count)) {
        drawn.push_back(words_[i]);
      }
    }
    return drawn;
  }

  NumberedList draw_list(const ListShape& shape) {
    const std::vector<std::string> words = draw_words(shape.words);
    const auto end_of_common =
        words.begin() +
        std::min<std::ptrdiff_t>(kAnswers, static_cast<std::ptrdiff_t>(words.size()));
    NumberedList list;
    list.answers.assign(words.begin(), end_of_common);
    std::vector<std::string> items;
    for (int i = 0; i < shape.common; ++i) items.insert(items.end(), words.begin(), end_of_common);
    for (int i = 0; i < shape.uncommon; ++i) items.insert(items.end(), end_of_common, words.end());
    streams_.fixed_shuffle(items);
    list.text = numbered(items);
    return list;
  }

  const GenerationJob& job_;
  Streams& streams_;
  std::string template_;
  std::vector<std::string> words_;
};

}  // namespace

std::vector<RulerRecord> generate_common_words(const GenerationJob& job, SearchTrace& trace) {
  Streams streams(job.seed);
  CommonWordsGenerator generator(job, streams);
  const std::int64_t budget = job.texts().tokens_to_generate;
  const SizeSearch search{.length = job.length,
                          .budget = budget,
                          .step = kStep,
                          .max_failures = job.max_failures,
                          .draw = [&](std::int64_t size) { return generator.draw(size); },
                          .count = job.count_tokens};
  const std::int64_t size =
      job.vintage == Vintage::kGenA
          ? linear_size(search,
                        {.glue = [](const auto& answers) { return " " + numbered(answers); },
                         .cap_next = generator.word_count()},
                        trace)
          : binary_size(search, {.first = kMeasuredSize, .double_floor = true}, trace);
  std::vector<RulerRecord> records;
  for (std::int64_t i = 0; i < job.count; ++i) {
    Fitted fitted = draw_fitting(
        search, size, [&](const Draft& draft) { return job.count_tokens(draft.prompt) + budget; });
    if (job.remove_newline_tab) fitted.draft.prompt = one_line(fitted.draft.prompt);
    records.push_back(make_record(job, i, std::move(fitted.draft.prompt),
                                  std::move(fitted.draft.answers), fitted.total));
  }
  return records;
}

}  // namespace elastic::tasks
