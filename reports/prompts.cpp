// What the models were given: length of the prompts, how far they fill the stated length, and what
// was cut out of their middle, by task.

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "reports/cells.h"
#include "runs/statistics.h"

namespace elastic::reports {
namespace {

// Prompts of a task at a length, each once however many modes it went through.
struct Prompts {
  std::set<std::int64_t> seen;  // indices
  std::vector<double> tokens;
  std::int64_t truncated = 0, lost = 0, most_lost = 0;
};

void add_prompt(const runs::SampleRecord& sample, Prompts& prompts) {
  if (sample.prompt_tokens == 0 || !prompts.seen.insert(sample.index).second) return;
  prompts.tokens.push_back(static_cast<double>(sample.prompt_tokens));
  prompts.truncated += sample.truncated_tokens > 0;
  prompts.lost += sample.truncated_tokens;
  prompts.most_lost = std::max(prompts.most_lost, sample.truncated_tokens);
}

using ByTask = std::vector<std::pair<std::pair<std::string, std::int64_t>, Prompts>>;

ByTask prompts_of(const ReportInput::Run& run, const std::string& model) {
  ByTask all;
  std::map<std::pair<std::string, std::int64_t>, std::size_t> known;
  for (const std::string& task : run.summary.tasks) {
    for (const runs::Cell& cell : run.summary.cells) {
      if (cell.model != model || cell.task != task) continue;
      const auto [at, fresh] = known.try_emplace({task, cell.length}, all.size());
      if (fresh) all.push_back({{task, cell.length}, {}});
      for (const std::size_t i : cell.samples)
        add_prompt(run.data.samples[i], all[at->second].second);
    }
  }
  std::erase_if(all, [](const auto& entry) { return entry.second.tokens.empty(); });
  return all;
}

std::vector<Column> prompt_columns(bool several) {
  std::vector<Column> all{{"task", "Task"},
                          {"length", "Length"},
                          {"prompts", "Prompts"},
                          {"tokens_p50", "Tokens p50", 0},
                          {"tokens_min", "least", 0},
                          {"tokens_max", "most", 0},
                          {"filled", "Filled, %", 1},
                          {"truncated", "Truncated"},
                          {"tokens_lost", "Tokens lost"},
                          {"share_lost", "Lost, %", 1},
                          {"most_lost", "most of one"}};
  if (several) all.insert(all.begin(), {"run", "Run"});
  return all;
}

std::vector<Cell> prompts_row(const Subject& subject, const std::string& task, std::int64_t length,
                              const Prompts& prompts) {
  const auto [least, most] = std::minmax_element(prompts.tokens.begin(), prompts.tokens.end());
  double sum = 0;
  for (const double tokens : prompts.tokens) sum += tokens;
  const double lost = static_cast<double>(prompts.lost);
  std::optional<double> filled;
  if (length > 0) filled = *runs::quantile(prompts.tokens, .5) / static_cast<double>(length);
  std::vector<Cell> row;
  if (!subject.label.empty()) row.push_back(cell(subject.label));
  for (Value value : std::vector<Value>{
           task, length > 0 ? Value(format_length(length)) : Value(),
           count(static_cast<std::int64_t>(prompts.tokens.size())),
           number(runs::quantile(prompts.tokens, .5), 1, 1), number(*least, 1, 0),
           number(*most, 1, 0), number(filled, 100, 2), count(prompts.truncated),
           count(prompts.lost), number(lost / (lost + sum), 100, 2), count(prompts.most_lost)}) {
    row.push_back(cell(std::move(value)));
  }
  SampleFilter filter{subject.run, subject.model, "", task, std::nullopt, std::nullopt};
  if (length > 0) filter.length = length;
  row[subject.label.empty() ? 0 : 1].samples = std::move(filter);
  return row;
}

}  // namespace

Document prompts_document(const ReportInput& input) {
  Document document{"prompts", "Prompts", "", {}, {}, {}};
  const std::vector<Subject> all = subjects(input);
  const bool several = !all.empty() && !all.front().label.empty();
  Table table{"prompts", "Length and truncation of the prompts", "", prompt_columns(several), {},
              {}};
  bool cut = false;
  for (const Subject& subject : all) {
    for (const auto& [where, prompts] : prompts_of(input.runs[subject.run], subject.model)) {
      table.rows.push_back(prompts_row(subject, where.first, where.second, prompts));
      cut = cut || prompts.truncated > 0;
    }
  }
  if (table.rows.empty()) return document;
  table.caption =
      "Each prompt once, whatever the number of modes. Filled: the median prompt in percent of the "
      "stated length, which holds room for the answer too. Lost: tokens that were cut, in percent "
      "of all tokens before the cut; each sample has its own in the list behind the task.";
  table.folded = !cut;
  document.tables.push_back(std::move(table));
  return document;
}

}  // namespace elastic::reports
