// Needle in a haystack, eight tasks: needle sentences (key, value) in noise, prose or other
// needles; the values of one or more keys are asked for.

#include <algorithm>
#include <array>
#include <functional>

#include "base/text.h"
#include "base/utf8.h"
#include "tasks/ruler/generation.h"

namespace elastic::tasks {
namespace {

// linspace(0, 100, 40), rounded half to even; where needles go in prose, per cent of its sentences.
constexpr std::array<int, 40> kDepths = {0,  3,  5,  8,  10, 13, 15, 18, 21, 23, 26, 28, 31, 33,
                                         36, 38, 41, 44, 46, 49, 51, 54, 56, 59, 62, 64, 67, 69,
                                         72, 74, 77, 79, 82, 85, 87, 90, 92, 95, 97, 100};
constexpr std::uint64_t kSmallestNumber = 1000000;
constexpr std::uint64_t kLargestNumber = 9999999;
constexpr std::int64_t kEssayStep = 500;  // words
constexpr std::int64_t kLineStep = 25;
constexpr std::int64_t kShortLineStep = 5;
constexpr std::int64_t kShortLength = 4096;  // tokens below which lines are added five at a time

std::string_view kind_name(ValueKind kind) {
  switch (kind) {
    case ValueKind::kWords:
      return "words";
    case ValueKind::kNumbers:
      return "numbers";
    case ValueKind::kUuids:
      return "uuids";
  }
  return "";
}

struct Needles {
  std::vector<std::string> keys;
  std::vector<std::vector<std::string>> values;  // per key
  std::vector<std::string> sentences;
};

class NiahGenerator {
 public:
  NiahGenerator(const GenerationJob& job, Streams& streams)
      : job_(job),
        config_(*job.config),
        streams_(streams),
        template_(job.full_template()),
        kind_(kind_name(config_.value)) {
    if (config_.asked * config_.values == 1) make_singular();
  }

  Draft draw(std::int64_t size) {
    Needles needles = draw_needles();
    streams_.fixed_shuffle(needles.sentences);
    const std::string context = config_.haystack == HaystackKind::kEssay
                                    ? essay_context(size, needles.sentences)
                                    : line_context(size, needles.sentences);
    Draft draft;
    std::vector<std::string> asked;
    for (const std::size_t key : streams_.main.sample(needles.keys.size(), config_.asked)) {
      asked.push_back(needles.keys[key]);
      draft.answers.insert(draft.answers.end(), needles.values[key].begin(),
                           needles.values[key].end());
    }
    draft.prompt = fill_fields(
        template_,
        {{"type_needle_v", kind_}, {"context", context}, {"query", query_text(std::move(asked))}});
    return draft;
  }

 private:
  // One value is asked for: the pack's own wording for that, else upstream's edit of the whole
  // template, its model templates included.
  void make_singular() {
    kind_.pop_back();
    const TaskTexts& texts = job_.texts();
    if (!texts.prompt_one.empty()) {
      template_ = replace_all(job_.model_template, "{task_template}", texts.prompt_one) +
                  texts.answer_prefix_one;
      return;
    }
    const std::string& wrapper = job_.model_template;
    template_ = replace_all(job_.from_checkpoint ? wrapper : singular(wrapper), "{task_template}",
                            singular(texts.prompt)) +
                singular(texts.answer_prefix);
  }

  static std::string singular(std::string text) {
    text = replace_all(text, "Some", "A");
    text = replace_all(text, "are all", "is");
    text = replace_all(text, "are", "is");
    return replace_all(text, "answers", "answer");
  }

  std::string draw_value(ValueKind kind) {
    switch (kind) {
      case ValueKind::kWords: {
        const datasets::KeyPool& pool = job_.sources->keys();
        return pool[streams_.main.below(pool.size())];
      }
      case ValueKind::kNumbers:
        return std::to_string(streams_.main.randint(kSmallestNumber, kLargestNumber));
      case ValueKind::kUuids:
        break;
    }
    return streams_.main.uuid4();
  }

  std::string sentence(std::string_view key, std::string_view value) const {
    return fill_fields(
        job_.pack->needle,
        {{"type_needle_v", kind_name(config_.value)}, {"key", key}, {"value", value}});
  }

  Needles draw_needles() {
    Needles needles;
    for (int i = 0; i < std::max(config_.keys, config_.asked); ++i) {
      needles.keys.push_back(draw_value(config_.key));
      auto& values = needles.values.emplace_back();
      for (int k = 0; k < config_.values; ++k) {
        values.push_back(draw_value(config_.value));
        needles.sentences.push_back(sentence(needles.keys.back(), values.back()));
      }
    }
    return needles;
  }

  std::string essay_context(std::int64_t words, const std::vector<std::string>& needles) {
    const datasets::Haystack& essays = job_.sources->essays();
    std::string repeated;
    std::vector<std::string_view> sentences;
    if (words > essays.word_count() && job_.vintage == Vintage::kGenB) {
      repeated = essays.repeated(words);
      sentences = punkt_sentences(job_.sources->punkt(), repeated);
    } else {
      sentences = job_.sources->essay_sentences(words);
    }
    std::vector<std::size_t> cuts;
    const double count = static_cast<double>(sentences.size());
    const auto needle_count = static_cast<std::int64_t>(needles.size());
    for (const std::size_t depth : streams_.main.sample(kDepths.size(), needle_count)) {
      cuts.push_back(static_cast<std::size_t>(count * (kDepths[depth] / 100.0)));
    }
    std::sort(cuts.begin(), cuts.end());
    cuts.push_back(sentences.size());
    std::string context;
    std::size_t next = 0;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      if (i > 0) context += ' ';
      for (std::size_t first = next; next < cuts[i]; ++next) {
        if (next > first) context += ' ';
        context += sentences[next];
      }
      if (i < needles.size()) (context += ' ') += needles[i];
    }
    return context;
  }

  // Lines of noise or of other needles, ours among them: the later a needle in the shuffled list,
  // the further up its line.
  std::string line_context(std::int64_t count, const std::vector<std::string>& needles) {
    std::vector<std::string> lines(static_cast<std::size_t>(count));
    if (config_.haystack == HaystackKind::kNeedle) {
      for (std::string& line : lines) {
        const std::string key = draw_value(config_.key);
        line = sentence(key, draw_value(config_.value));
      }
    } else {
      std::fill(lines.begin(), lines.end(), job_.pack->noise);
    }
    std::vector<std::size_t> places =
        streams_.main.sample(lines.size(), static_cast<std::int64_t>(needles.size()));
    std::sort(places.begin(), places.end(), std::greater<>());
    for (std::size_t i = 0; i < needles.size(); ++i) {
      lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(places[i]), needles[i]);
    }
    return join(lines, config_.haystack == HaystackKind::kNeedle ? job_.pack->needle_separator
                                                                 : job_.pack->noise_separator);
  }

  std::string query_text(std::vector<std::string> keys) const {
    if (keys.size() == 1) return keys.front();
    const std::string last = std::move(keys.back());
    keys.pop_back();
    return join(keys, job_.pack->query_separator) + job_.pack->query_last_separator + last;
  }

  const GenerationJob& job_;
  const RulerConfig& config_;
  Streams& streams_;
  std::string template_;
  std::string kind_;  // as the template names it: plural where several values are asked for
};

// Upstream's step, also the size that gen-B measures first.
std::int64_t coarse_step(const GenerationJob& job) {
  if (job.config->haystack == HaystackKind::kEssay) return kEssayStep;
  return job.length < kShortLength ? kShortLineStep : kLineStep;
}

std::int64_t step_of(const GenerationJob& job) {
  const std::int64_t own =
      job.config->haystack == HaystackKind::kEssay ? job.pack->prose_step : job.pack->line_step;
  return own > 0 ? own : coarse_step(job);
}

// gen-B writes where the first answer stands: in characters over `index`, and in tokens.
void add_answer_position(const GenerationJob& job, RulerRecord& record) {
  const std::size_t offset = record.input.find(record.outputs.front());
  const std::string_view before = std::string_view(record.input).substr(0, offset);
  record.index = offset == std::string::npos ? -1 : code_point_count(before);
  record.token_position_answer = job.count_tokens(before);
}

}  // namespace

std::vector<RulerRecord> generate_niah(const GenerationJob& job, SearchTrace& trace) {
  Streams streams(job.seed);
  NiahGenerator generator(job, streams);
  const bool essay = job.config->haystack == HaystackKind::kEssay;
  const std::int64_t budget = job.texts().tokens_to_generate;
  const SizeSearch search{.length = job.length,
                          .budget = budget,
                          .step = step_of(job),
                          .max_failures = job.max_failures,
                          .draw = [&](std::int64_t size) { return generator.draw(size); },
                          .count = job.count_tokens};
  const std::int64_t size =
      job.vintage == Vintage::kGenA
          ? linear_size(search,
                        {.glue = [](const auto& answers) { return join(answers, " "); },
                         .cap_tried = essay ? job.sources->essays().word_count() : 0},
                        trace)
          : binary_size(search, {.first = coarse_step(job)}, trace);
  std::vector<RulerRecord> records;
  for (std::int64_t i = 0; i < job.count; ++i) {
    Fitted fitted = draw_fitting(
        search, size, [&](const Draft& draft) { return job.count_tokens(draft.prompt) + budget; });
    if (job.remove_newline_tab) fitted.draft.prompt = one_line(fitted.draft.prompt);
    records.push_back(make_record(job, i, std::move(fitted.draft.prompt),
                                  std::move(fitted.draft.answers), fitted.total));
    if (job.vintage == Vintage::kGenB) add_answer_position(job, records.back());
  }
  return records;
}

}  // namespace elastic::tasks
