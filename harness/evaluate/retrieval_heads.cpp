#include "harness/evaluate/retrieval_heads.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"

namespace elastic::harness {
namespace {

std::int64_t occurrences(std::string_view text, std::string_view part) {
  std::int64_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

// Adds the tokens of every place where `part` stands: each ends where one more is spelt out, and
// begins at the last token from which it still is.
void add_positions(const engine::Tokenizer& tokenizer, std::span<const std::int32_t> ids,
                   std::string_view part, std::set<std::int64_t>& positions) {
  const auto count = [&](std::int64_t begin, std::int64_t end) {
    const auto some =
        ids.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    return occurrences(tokenizer.decode(some, {.skip_special = false, .clean_up_spaces = false}),
                       part);
  };
  const std::int64_t total = count(0, std::ssize(ids));
  std::int64_t from = 0;  // tokens that the places before this one take
  for (std::int64_t place = 1; place <= total; ++place) {
    std::int64_t low = from, high = std::ssize(ids);  // the end lies in (low, high]
    while (high - low > 1) {
      const std::int64_t middle = low + (high - low) / 2;
      (count(0, middle) >= place ? high : low) = middle;
    }
    std::int64_t begin = high - 1;
    while (begin > 0 && count(begin, high) == 0) --begin;
    for (std::int64_t t = begin; t < high; ++t) positions.insert(t);
    from = high - 1;
  }
}

}  // namespace

std::vector<std::int64_t> token_positions(const engine::Tokenizer& tokenizer,
                                          std::span<const std::int32_t> ids,
                                          std::span<const std::string> texts) {
  std::set<std::int64_t> positions;
  for (const std::string& text : texts) {
    if (!text.empty()) add_positions(tokenizer, ids, text, positions);
  }
  return {positions.begin(), positions.end()};
}

std::vector<NeedlePrompt> needle_prompts(const RunSetup& setup) {
  const PromptParts parts = load_prompt_parts(setup.model);
  const std::vector<PreparedCell> cells = prepare_cells(setup, parts);
  std::vector<NeedlePrompt> prompts;
  for (const PreparedCell& cell : cells) {
    const std::string& task = cell.task->task->info().name;
    for (const tasks::Sample& sample : cell.samples) {
      PreparedPrompt prompt = prepare_prompt(prompt_request(setup, parts, cell, sample));
      std::vector<std::int64_t> needle =
          token_positions(*parts.tokenizer, prompt.prompt.ids, sample.references);
      if (prompt.error || needle.empty()) {
        log_warning(fmt::format("{}, sample {} left out: {}", task, sample.index,
                                prompt.error.value_or("its answer stands nowhere in the prompt")));
        continue;
      }
      prompts.push_back({task, std::move(prompt.prompt.ids), std::move(needle)});
    }
  }
  if (!prompts.empty()) return prompts;
  throw Error(ErrorKind::kInvalidArgument,
              "--tasks: no sample holds its answer in a prompt that can run; ruler/niah_single_1 "
              "does");
}

std::optional<reports::HeadScores> retrieval_heads(engine::Generator& generator,
                                                   std::span<const NeedlePrompt> prompts) {
  const engine::ModelInfo& model = generator.model();
  reports::HeadScores scores{model.name, model.heads_kv, {}, std::ssize(prompts), {}};
  double tokens = 0;
  for (const NeedlePrompt& prompt : prompts) tokens += static_cast<double>(prompt.ids.size());
  Progress progress("retrieval heads", scores.samples, tokens);
  for (const NeedlePrompt& prompt : prompts) {
    if (interrupted()) return std::nullopt;
    if (scores.tasks.empty() || scores.tasks.back() != prompt.task) {
      scores.tasks.push_back(prompt.task);
    }
    const auto found = generator.retrieval_scores(prompt.ids, prompt.needle);
    scores.scores.resize(found.size());
    for (std::size_t layer = 0; layer < found.size(); ++layer) {
      std::vector<double>& sums = scores.scores[layer];
      sums.resize(found[layer].size());
      for (std::size_t head = 0; head < sums.size(); ++head) {
        sums[head] += static_cast<double>(found[layer][head]) / static_cast<double>(prompts.size());
      }
    }
    progress.advance(static_cast<double>(prompt.ids.size()), prompt.task);
  }
  return scores;
}

}  // namespace elastic::harness
