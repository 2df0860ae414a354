#include "tasks/ruler/generation.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace elastic::tasks {

namespace {
constexpr std::size_t kPrefixMark = 10;  // gen-B finds the answer prefix by its first characters
}  // namespace

const std::vector<RulerConfig>& ruler_configs() {
  using enum HaystackKind;
  using enum ValueKind;
  constexpr std::string_view kAll = "string_match_all";
  static const std::vector<RulerConfig> kConfigs = {
      {.name = "niah_single_1",
       .base = "niah",
       .category = "retrieval",
       .summary = "one needle, repeated noise; word -> number",
       .metric = kAll},
      {.name = "niah_single_2",
       .base = "niah",
       .category = "retrieval",
       .summary = "one needle in prose; word -> number",
       .metric = kAll,
       .haystack = kEssay},
      {.name = "niah_single_3",
       .base = "niah",
       .category = "retrieval",
       .summary = "one needle in prose; word -> uuid",
       .metric = kAll,
       .haystack = kEssay,
       .value = kUuids},
      {.name = "niah_multikey_1",
       .base = "niah",
       .category = "retrieval",
       .summary = "four needles in prose, one asked for",
       .metric = kAll,
       .haystack = kEssay,
       .keys = 4},
      {.name = "niah_multikey_2",
       .base = "niah",
       .category = "retrieval",
       .summary = "a needle in a haystack of needles; word -> number",
       .metric = kAll,
       .haystack = kNeedle},
      {.name = "niah_multikey_3",
       .base = "niah",
       .category = "retrieval",
       .summary = "a needle in a haystack of needles; uuid -> uuid",
       .metric = kAll,
       .haystack = kNeedle,
       .key = kUuids,
       .value = kUuids},
      {.name = "niah_multivalue",
       .base = "niah",
       .category = "retrieval",
       .summary = "one key with four values in prose",
       .metric = kAll,
       .haystack = kEssay,
       .values = 4},
      {.name = "niah_multiquery",
       .base = "niah",
       .category = "retrieval",
       .summary = "four keys in prose, all asked for",
       .metric = kAll,
       .haystack = kEssay,
       .keys = 4,
       .asked = 4},
      {.name = "vt",
       .base = "variable_tracking",
       .category = "tracing",
       .summary = "the five variables of an assignment chain in noise",
       .metric = kAll,
       .budget = 30},
      {.name = "cwe",
       .base = "common_words_extraction",
       .category = "aggregation",
       .summary = "the ten most common words of a list",
       .metric = kAll,
       .budget = 120},
      {.name = "fwe",
       .base = "freq_words_extraction",
       .category = "aggregation",
       .summary = "the three most frequent words of a coded text",
       .metric = kAll,
       .budget = 50},
      {.name = "qa_1",
       .base = "qa",
       .category = "qa",
       .summary = "SQuAD questions among distracting paragraphs",
       .metric = "string_match_part",
       .budget = 32,
       .questions = QuestionSource::kSquad},
      {.name = "qa_2",
       .base = "qa",
       .category = "qa",
       .summary = "HotpotQA questions among distracting paragraphs",
       .metric = "string_match_part",
       .budget = 32,
       .questions = QuestionSource::kHotpotqa},
  };
  return kConfigs;
}

std::string GenerationJob::full_template() const {
  return replace_all(model_template, "{task_template}", texts().prompt) + texts().answer_prefix;
}

RulerRecord make_record(const GenerationJob& job, std::int64_t index, std::string prompt,
                        std::vector<std::string> answers, std::int64_t total) {
  RulerRecord record{.index = index,
                     .input = std::move(prompt),
                     .outputs = std::move(answers),
                     .length = total,
                     .answer_prefix = {},
                     .token_position_answer = {}};
  if (job.vintage == Vintage::kGenA) return record;
  const std::string mark = job.texts().answer_prefix.substr(0, kPrefixMark);
  const std::size_t cut = record.input.rfind(mark);
  if (cut == std::string::npos) {
    throw Error(
        ErrorKind::kCorrupt,
        fmt::format("{}: the prompt of {} does not hold the beginning of its answer prefix, "
                    "`{}`",
                    job.pack->profile, job.config->name, mark));
  }
  record.answer_prefix = record.input.substr(cut);
  record.input.resize(cut);
  return record;
}

}  // namespace elastic::tasks
