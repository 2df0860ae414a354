// `score --format elastic`: run folders of this program, scored again by the rules of today.

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "runs/run_store.h"
#include "tasks/registry.h"
#include "tasks/scoring/longbench_profiles.h"
#include "tasks/scoring/score.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

void rescore(runs::RunData& run, std::map<std::string, double>& old_scores) {
  std::map<std::string, std::unique_ptr<Task>> by_name;
  for (runs::SampleRecord& record : run.samples) {
    if (record.score) old_scores[record.key] = *record.score;
    if (record.outcome != runs::Outcome::kOk) continue;
    auto& task = by_name[record.task];
    if (!task) task = make_task(record.task);
    record.metric = task->info().metric;
    record.score = task->score(
        {.index = record.index, .references = record.references, .labels = record.all_classes},
        record.prediction);
  }
}

}  // namespace

Scored score_elastic(const ScoreInput& input) {
  std::vector<std::string> wanted;
  for (const std::string& name : input.tasks) {
    const auto resolved = resolve_tasks(name);
    wanted.insert(wanted.end(), resolved.begin(), resolved.end());
  }
  const auto left_out = [&wanted](std::string_view task) {
    return !wanted.empty() && std::find(wanted.begin(), wanted.end(), task) == wanted.end();
  };
  Scored scored;
  for (const fs::path& path : input.paths) {
    runs::RunData run = runs::read_run(path);
    std::erase_if(run.samples, [&](const runs::SampleRecord& s) { return left_out(s.task); });
    std::erase_if(run.spec.tasks, [&](const std::string& task) { return left_out(task); });
    std::erase_if(run.spec.planned, [&](const auto& cell) { return left_out(cell.first.task); });
    rescore(run, scored.old_scores);
    scored.runs.push_back(std::move(run));
  }
  add_longbench_summaries(scored);
  return scored;
}

}  // namespace elastic::tasks
