// Variable tracking: a chain of assignments spread over noise lines, VAR A = 12345, VAR B = VAR A,
// and so on; all variables that hold the value are asked for. One worked example stands in front.

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "tasks/ruler/generation.h"

namespace elastic::tasks {
namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr int kHops = 4;
constexpr int kNames = kHops + 1;  // variables in the one chain
constexpr int kNameLetters = 5;
constexpr int kExampleNameLetters = 3;
constexpr std::int64_t kSmallestValue = 10000;
constexpr std::int64_t kBeyondLargestValue = 99999;
constexpr std::string_view kExampleValue = "12345";  // of gen-B, replaced in every sample
constexpr std::int64_t kExampleLength = 500;         // tokens
constexpr std::int64_t kStep = 10;                   // lines
constexpr std::int64_t kShortStep = 5;
constexpr std::int64_t kShortLength = 4096;  // tokens below which gen-B takes the short step
constexpr std::size_t kPromptMark = 20;      // the task's text is found by its first characters
constexpr std::size_t kPrefixMark = 10;      // and the answer prefix by these

struct Chain {
  std::vector<std::string> names;
  std::vector<std::string> links;
  std::string value;
};

// One flavour of the drawing procedure: the example or the question itself.
struct Flavour {
  std::string text_template;
  int letters = kNameLetters;
  std::string_view fixed_value;  // empty = drawn
};

class ChainGenerator {
 public:
  ChainGenerator(const GenerationJob& job, Streams& streams) : job_(job), streams_(streams) {}

  Draft draw(const Flavour& flavour, std::int64_t lines) {
    Chain chain = draw_chain(flavour);
    const std::string context = weave(chain.links, lines);
    return {.prompt = fill_fields(
                flavour.text_template,
                {{"context", context}, {"query", chain.value}, {"num_v", std::to_string(kNames)}}),
            .answers = std::move(chain.names)};
  }

 private:
  Chain draw_chain(const Flavour& flavour) {
    Chain chain;
    for (int i = 0; i < kNames; ++i) {
      chain.names.push_back(streams_.main.choices(kLetters, flavour.letters));
    }
    const auto distinct = [&] {
      return std::set<std::string>(chain.names.begin(), chain.names.end()).size();
    };
    while (distinct() < kNames) {
      chain.names.push_back(streams_.main.choices(kLetters, flavour.letters));
    }
    chain.value = flavour.fixed_value.empty() ? draw_value() : std::string(flavour.fixed_value);
    // A second, incomplete chain (a name came twice): upstream draws its value and then fails.
    if (chain.names.size() > kNames) {
      if (flavour.fixed_value.empty()) draw_value();
      throw Error(ErrorKind::kInvalidArgument, "a variable name was drawn twice");
    }
    const PromptPack& pack = *job_.pack;
    chain.links.push_back(
        fill_fields(pack.first_link, {{"name", chain.names.front()}, {"value", chain.value}}));
    for (std::size_t i = 1; i < kNames; ++i) {
      chain.links.push_back(
          fill_fields(pack.link, {{"name", chain.names[i]}, {"previous", chain.names[i - 1]}}));
    }
    return chain;
  }

  std::string draw_value() {
    return std::to_string(streams_.numpy.randint(kSmallestValue, kBeyondLargestValue));
  }

  // The links, in order, at random places between `count` lines of noise.
  std::string weave(const std::vector<std::string>& chain, std::int64_t count) {
    const bool gen_a = job_.vintage == Vintage::kGenA;
    std::vector<std::string> lines(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)),
                                   job_.pack->noise + (gen_a ? "\n" : ""));
    if (gen_a && lines.size() <= chain.size()) lines = split_sentences(lines);
    std::size_t links = chain.size();
    if (gen_a && lines.size() <= chain.size())
      links = lines.empty() ? chain.size() - 1 : lines.size() - 1;
    std::vector<std::size_t> places =
        streams_.main.sample(lines.size(), static_cast<std::int64_t>(links));
    std::sort(places.begin(), places.end());
    std::vector<std::string> woven;
    std::size_t next = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (next < links && places[next] == i) woven.push_back(chain[next++]);
      woven.push_back(std::move(lines[i]));
    }
    return replace_all(join(woven, gen_a ? " " : job_.pack->noise_separator), ". \n", ".\n");
  }

  static std::vector<std::string> split_sentences(const std::vector<std::string>& lines) {
    std::vector<std::string> sentences;
    for (const std::string& line : lines) {
      for (const std::string_view piece : split(line, '.')) {
        sentences.emplace_back(piece);
        if (!strip_white_space(piece).empty()) sentences.back() += '.';
      }
    }
    return sentences;
  }

  const GenerationJob& job_;
  Streams& streams_;
};

std::string list_glue(const std::vector<std::string>& answers) {
  return " " + python_list(answers);
}

// The worked example with its answers; every sample shows it (gen-B with new names and value).
std::string draw_example(const GenerationJob& job, ChainGenerator& chains, const Flavour& flavour,
                         SearchTrace& trace) {
  const bool gen_a = job.vintage == Vintage::kGenA;
  const SizeSearch search{.length = kExampleLength,
                          .budget = gen_a ? job.texts().tokens_to_generate : 0,
                          .step = kShortStep,
                          .max_failures = job.max_failures,
                          .draw = [&](std::int64_t lines) { return chains.draw(flavour, lines); },
                          .count = job.count_tokens};
  const std::int64_t lines = gen_a ? linear_size(search, {.glue = list_glue}, trace)
                                   : binary_size(search, {.first = kShortStep}, trace);
  const Fitted fitted = draw_fitting(search, lines, [&](const Draft& draft) {
    return job.count_tokens(draft.prompt) + search.budget;
  });
  const std::string prompt =
      gen_a && job.remove_newline_tab ? one_line(fitted.draft.prompt) : fitted.draft.prompt;
  return prompt + " " + join(fitted.draft.answers, " ") + (gen_a ? "\n\n" : "\n");
}

// gen-A cuts the task's text out of the whole template, newlines folded and its last word lost:
// with a chat template that is the closing marker, with the base template a word of the question.
std::string gen_a_example_template(const GenerationJob& job) {
  const std::string whole = job.full_template();
  const std::size_t begin = whole.find(job.texts().prompt.substr(0, kPromptMark));
  const std::size_t end = whole.find(job.texts().answer_prefix.substr(0, kPrefixMark));
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    throw Error(ErrorKind::kCorrupt, job.pack->profile +
                                         ": variable_tracking's answer prefix "
                                         "must stand behind its template");
  }
  std::vector<std::string> words;
  for (const std::string_view word :
       split_white_space(std::string_view(whole).substr(begin, end - begin))) {
    words.emplace_back(word);
  }
  if (!words.empty()) words.pop_back();
  return join(words, " ") + whole.substr(end);
}

// New names and a new value for gen-B's example.
std::string randomised(std::string example, Streams& streams) {
  const std::vector<std::string_view> words = split_white_space(example);
  std::vector<std::string> names(words.end() - kNames, words.end());
  for (const std::string& name : names) {
    const auto letters = static_cast<int>(code_point_count(name));
    example = replace_all(example, name, streams.main.choices(kLetters, letters));
  }
  return replace_all(example, kExampleValue,
                     std::to_string(streams.numpy.randint(kSmallestValue, kBeyondLargestValue)));
}

// `example` before the task's text, which stands behind whatever a model template begins with.
std::string with_example(const GenerationJob& job, const std::string& prompt,
                         const std::string& example) {
  const std::size_t cut =
      std::min(prompt.find(job.texts().prompt.substr(0, kPromptMark)), prompt.size());
  const bool gen_a = job.vintage == Vintage::kGenA;
  return prompt.substr(0, cut) + (gen_a ? " " : "") + example + (gen_a ? "\n\n" : "\n") +
         prompt.substr(cut);
}

}  // namespace

std::vector<RulerRecord> generate_variable_tracking(const GenerationJob& job, SearchTrace& trace) {
  Streams streams(job.seed);
  ChainGenerator chains(job, streams);
  const bool gen_a = job.vintage == Vintage::kGenA;
  std::string example;
  if (job.with_examples()) {
    const Flavour flavour =
        gen_a
            ? Flavour{.text_template = gen_a_example_template(job), .letters = kExampleNameLetters}
            : Flavour{.text_template = job.texts().prompt + job.texts().answer_prefix,
                      .letters = kExampleNameLetters,
                      .fixed_value = kExampleValue};
    example = draw_example(job, chains, flavour, trace);
  }
  const Flavour flavour{.text_template = job.full_template()};
  const std::int64_t budget = job.texts().tokens_to_generate;
  const std::int64_t coarse_step = !gen_a && job.length < kShortLength ? kShortStep : kStep;
  const SizeSearch search{.length = job.length,
                          .budget = budget,
                          .extra = example.empty() ? 0 : job.count_tokens(example),
                          .step = job.pack->line_step > 0 ? job.pack->line_step : coarse_step,
                          .max_failures = job.max_failures,
                          .draw = [&](std::int64_t lines) { return chains.draw(flavour, lines); },
                          .count = job.count_tokens};
  const std::int64_t size = gen_a ? linear_size(search, {.glue = list_glue}, trace)
                                  : binary_size(search, {.first = coarse_step}, trace);
  std::vector<RulerRecord> records;
  for (std::int64_t i = 0; i < job.count; ++i) {
    Fitted fitted = draw_fitting(search, size, [&](Draft& draft) {
      if (gen_a) return job.count_tokens(draft.prompt) + budget + search.extra;
      if (!example.empty()) {
        draft.prompt = with_example(job, draft.prompt, randomised(example, streams));
      }
      if (job.remove_newline_tab) draft.prompt = one_line(draft.prompt);
      return job.count_tokens(draft.prompt) + budget;
    });
    std::string prompt = std::move(fitted.draft.prompt);
    if (gen_a) {
      if (!example.empty()) prompt = with_example(job, prompt, example);
      if (job.remove_newline_tab) prompt = one_line(prompt);
    }
    records.push_back(
        make_record(job, i, std::move(prompt), std::move(fitted.draft.answers), fitted.total));
  }
  return records;
}

}  // namespace elastic::tasks
