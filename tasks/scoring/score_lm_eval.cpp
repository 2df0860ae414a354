// `score --format lm-eval`: sample logs of lm-evaluation-harness. LongBench tasks are scored again
// by the official rules, with the log's own score beside; of other tasks the log's scores stand.

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "tasks/longbench/aggregate.h"
#include "tasks/longbench/scorer.h"
#include "tasks/scoring/lm_eval_samples.h"
#include "tasks/scoring/score.h"

namespace elastic::tasks {
namespace {

constexpr std::string_view kLongbench = "longbench_";

// "longbench_trec_e" is trec of LongBench-E.
struct KnownTask {
  const LongbenchSet* set = nullptr;
  std::string name;
};

KnownTask known_task(const std::string& task) {
  if (!task.starts_with(kLongbench)) return {nullptr, task};
  std::string set = task.substr(kLongbench.size());
  if (const auto* found = find_longbench_set(set)) return {found, "longbench/" + set};
  if (!set.ends_with("_e")) return {nullptr, task};
  set.resize(set.size() - 2);
  const auto* found = find_longbench_set(set);
  return {found, found == nullptr ? task : "longbench_e/" + set};
}

bool wanted(const ScoreInput& input, const std::string& task, const std::string& name) {
  return input.tasks.empty() ||
         std::any_of(input.tasks.begin(), input.tasks.end(), [&](const std::string& asked) {
           return asked == task || name == asked || name.starts_with(asked + "/");
         });
}

void add_sample(const LmEvalFile& file, const KnownTask& task, const LmEvalSample& sample,
                const LongbenchScorer& scorer, Scored& scored) {
  runs::SampleRecord record;
  record.key = fmt::format("{}/{}/{}/{}", file.model, file.task, sample.filter, sample.doc_id);
  record.model = file.model;
  record.mode = sample.filter == "none" ? "" : sample.filter;
  record.task = task.name;
  record.index = sample.doc_id;
  record.prediction = sample.prediction;
  record.references = sample.references;
  record.all_classes = sample.all_classes;
  if (!sample.metrics.empty()) {
    record.metric = sample.metrics.front().first;
    record.score = sample.metrics.front().second;
    scored.old_scores[record.key] = *record.score;
  }
  if (task.set != nullptr) {
    record.metric = longbench_metric_name(*task.set, scorer.code);
    record.score = longbench_score(*task.set,
                                   {sample.prediction, sample.references,
                                    sample.all_classes.empty() ? nullptr : &sample.all_classes},
                                   scorer);
    if (sample.length) {
      record.strata["length"] = kLengthBuckets[length_bucket(*sample.length)];
    }
  }
  scored.runs.front().samples.push_back(std::move(record));
}

}  // namespace

Scored score_lm_eval(const ScoreInput& input) {
  Scored scored;
  runs::RunData& run = scored.runs.emplace_back();
  run.folder = input.paths.front().string();
  for (const auto& path : input.paths) {
    for (const LmEvalFile& file : find_lm_eval_samples(path)) {
      const KnownTask task = known_task(file.task);
      if (!wanted(input, file.task, task.name)) continue;
      try {
        LongbenchScorer scorer{.code = input.code_similarity, .segmenter = nullptr};
        if (task.set != nullptr && needs_segmentation(*task.set)) {
          scorer.segmenter = shared_segmenter(input.data_dir);
        }
        for (const LmEvalSample& sample : read_lm_eval_samples(file.path)) {
          add_sample(file, task, sample, scorer, scored);
        }
        if (std::find(run.spec.tasks.begin(), run.spec.tasks.end(), task.name) ==
            run.spec.tasks.end()) {
          run.spec.tasks.push_back(task.name);
        }
        if (task.set != nullptr) run.spec.categories[task.name] = task.set->category;
      } catch (const Error& error) {
        scored.failures.emplace_back(error.kind(),
                                     fmt::format("{}: {}", file.path.string(), error.what()));
      }
    }
  }
  return scored;
}

}  // namespace elastic::tasks
