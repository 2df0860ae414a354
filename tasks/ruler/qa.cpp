// Question answering over documents: the paragraphs that hold the answer among others.

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "base/error.h"
#include "tasks/ruler/generation.h"

namespace elastic::tasks {
namespace {

constexpr std::int64_t kStep = 10;  // documents

class QaGenerator {
 public:
  QaGenerator(const GenerationJob& job, Streams& streams)
      : job_(job),
        streams_(streams),
        template_(job.full_template()),
        set_(job.sources->questions(job.config->questions)),
        order_(set_.documents.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    const auto available = static_cast<std::int64_t>(set_.questions.size());
    if (job.count > available) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: {} samples asked for, the source has {} questions",
                              job.config->name, job.count, available));
    }
  }

  std::int64_t document_count() const { return static_cast<std::int64_t>(order_.size()); }

  Draft draw(std::size_t question_index, std::int64_t size) {
    const datasets::Question& question = set_.questions[question_index];
    std::string context;
    std::size_t number = 0;
    for (const std::size_t document : choose(question, size)) {
      if (number > 0) context += "\n\n";
      context += fill_fields(job_.pack->qa_document, {{"i", std::to_string(++number)},
                                                      {"document", set_.documents[document]}});
    }
    return {.prompt = fill_fields(template_, {{"context", context}, {"query", question.text}}),
            .answers = question.answers};
  }

 private:
  // Documents in the order shown. With all of them asked for, gen-A shuffles its own list in place,
  // so that later samples see it permuted; gen-B repeats a copy.
  std::vector<std::size_t> choose(const datasets::Question& question, std::int64_t size) {
    if (size < document_count()) {
      std::vector<std::size_t> chosen = choose_some(question, size);
      for (std::size_t& document : chosen) document = order_[document];
      streams_.fixed_shuffle(chosen);
      return chosen;
    }
    if (job_.vintage == Vintage::kGenA) {
      streams_.fixed_shuffle(order_);
      return order_;
    }
    std::vector<std::size_t> chosen;
    for (std::int64_t i = 0; i < size; ++i) {
      chosen.push_back(order_[static_cast<std::size_t>(i) % order_.size()]);
    }
    streams_.fixed_shuffle(chosen);
    return chosen;
  }

  std::vector<std::size_t> choose_some(const datasets::Question& question, std::int64_t size) {
    std::vector<std::size_t> chosen = question.gold;
    const std::vector<std::size_t>& related = question.related;
    const auto rest = size - static_cast<std::int64_t>(question.gold.size());
    if (rest <= static_cast<std::int64_t>(related.size())) {
      for (const std::size_t i : streams_.main.sample(related.size(), rest)) {
        chosen.push_back(related[i]);
      }
      return chosen;
    }
    chosen.insert(chosen.end(), related.begin(), related.end());
    std::vector<bool> taken(order_.size());
    for (const std::size_t document : chosen) taken[document] = true;
    std::vector<std::size_t> pool;
    for (std::size_t i = 0; i < taken.size(); ++i) {
      if (!taken[i]) pool.push_back(i);
    }
    const std::int64_t wanted =
        std::max<std::int64_t>(0, rest - static_cast<std::int64_t>(related.size()));
    for (const std::size_t i : streams_.main.sample(pool.size(), wanted)) chosen.push_back(pool[i]);
    return chosen;
  }

  const GenerationJob& job_;
  Streams& streams_;
  std::string template_;
  const datasets::QuestionSet& set_;
  std::vector<std::size_t> order_;
};

}  // namespace

std::vector<RulerRecord> generate_qa(const GenerationJob& job, SearchTrace& trace) {
  Streams streams(job.seed);
  QaGenerator generator(job, streams);
  const std::int64_t budget = job.texts().tokens_to_generate;
  std::size_t question = 0;
  const SizeSearch search{.length = job.length,
                          .budget = budget,
                          .step = job.pack->document_step > 0 ? job.pack->document_step : kStep,
                          .max_failures = job.max_failures,
                          .draw = [&](std::int64_t size) { return generator.draw(question, size); },
                          .count = job.count_tokens};
  const std::int64_t size =
      job.vintage == Vintage::kGenA
          ? linear_size(search,
                        {.glue = [](const auto& answers) { return " " + python_list(answers); },
                         .cap_next = generator.document_count()},
                        trace)
          : binary_size(search, {.first = kStep}, trace);
  std::vector<RulerRecord> records;
  for (; question < static_cast<std::size_t>(job.count); ++question) {
    Fitted fitted = draw_fitting(
        search, size, [&](const Draft& draft) { return job.count_tokens(draft.prompt) + budget; });
    if (job.remove_newline_tab) fitted.draft.prompt = one_line(fitted.draft.prompt);
    records.push_back(make_record(job, static_cast<std::int64_t>(question),
                                  std::move(fitted.draft.prompt), std::move(fitted.draft.answers),
                                  fitted.total));
  }
  return records;
}

}  // namespace elastic::tasks
