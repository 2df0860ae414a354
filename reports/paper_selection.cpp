#include "reports/paper_selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "runs/summary.h"

namespace elastic::reports {
namespace {

using runs::RunData;
using runs::SampleRecord;

constexpr std::string_view kE = "longbench_e/", kPlain = "longbench/";

bool is_of(const SampleRecord& sample, std::string_view mode, std::string_view task,
           const PaperColumn& column) {
  if (sample.mode != mode || sample.task != task) return false;
  if (column.length != 0 && sample.length != column.length) return false;
  if (column.difficulty.empty()) return true;
  const auto found = sample.strata.find("difficulty");
  return found != sample.strata.end() && found->second == column.difficulty;
}

bool has_task(const RunData& run, std::string_view task) {
  return std::any_of(run.samples.begin(), run.samples.end(),
                     [task](const SampleRecord& sample) { return sample.task == task; });
}

void add_parts(const RunData& run, std::string_view mode, const std::string& task,
               const PaperColumn& column, PaperSelection& selection) {
  std::map<std::int64_t, std::vector<std::size_t>> by_length;
  for (std::size_t i = 0; i < run.samples.size(); ++i) {
    if (is_of(run.samples[i], mode, task, column)) by_length[run.samples[i].length].push_back(i);
  }
  for (auto& [length, samples] : by_length) {
    selection.parts.push_back({length, task, std::move(samples)});
  }
}

// Of a mean over lengths: other ones than the paper's.
void note_lengths(const PaperColumn& column, PaperSelection& selection) {
  std::set<std::int64_t> lengths;
  for (const PaperPart& part : selection.parts) lengths.insert(part.length);
  if (column.lengths.empty() || std::ranges::equal(lengths, column.lengths)) return;
  std::vector<std::string> names;
  names.reserve(lengths.size());
  for (const std::int64_t length : lengths) names.push_back(format_length(length));
  selection.obstacles.push_back(fmt::format("the mean of {} alone", join(names, ", ")));
}

// What the run says of the samples beside their scores.
void note_run(const RunData& run, std::string_view mode, PaperSelection& selection) {
  bool own_prompts = false, cut = false, failed = false;
  for (const PaperPart& part : selection.parts) {
    const auto profile = run.spec.settings.find(std::string(runs::kProfileSetting) +
                                                std::string(runs::suite_of(part.task)));
    own_prompts = own_prompts || (profile != run.spec.settings.end() &&
                                  profile->second.find("@builtin") != std::string::npos);
    for (const std::size_t i : part.samples) {
      cut = cut || run.samples[i].truncated_tokens > 0;
      failed = failed || run.samples[i].outcome != runs::Outcome::kOk;
    }
  }
  if (own_prompts) selection.obstacles.emplace_back("prompts in our own words");
  if (cut) selection.obstacles.emplace_back("prompts cut to what the model takes");
  if (failed) selection.obstacles.emplace_back("samples that failed are left out");
  const auto options = run.spec.mode_options.find(std::string(mode));
  if (options != run.spec.mode_options.end() &&
      options->second.find("weights=untrained") != std::string::npos) {
    selection.obstacles.emplace_back("a trained method on weights not trained for it");
  }
}

}  // namespace

std::vector<std::size_t> PaperSelection::all() const {
  std::vector<std::size_t> samples;
  for (const PaperPart& part : parts) {
    samples.insert(samples.end(), part.samples.begin(), part.samples.end());
  }
  return samples;
}

PaperSelection select_samples(const RunData& run, std::string_view mode,
                              const PaperColumn& column) {
  PaperSelection selection;
  std::vector<std::string> missing;
  bool stands_in = false;
  for (const std::string& task : column.tasks) {
    const std::string plain =
        task.starts_with(kE) ? std::string(kPlain) + task.substr(kE.size()) : task;
    if (has_task(run, task)) {
      add_parts(run, mode, task, column, selection);
    } else if (has_task(run, plain)) {
      stands_in = true;
      add_parts(run, mode, plain, column, selection);
    } else {
      missing.push_back(task);
    }
  }
  if (stands_in) selection.obstacles.emplace_back("samples of LongBench, not of LongBench-E");
  note_lengths(column, selection);
  if (!missing.empty()) {
    selection.obstacles.push_back(fmt::format("without {}", join(missing, ", ")));
  }
  note_run(run, mode, selection);
  return selection;
}

}  // namespace elastic::reports
