// `score --format ruler`: prediction folders of the official pipeline, with its own two CSV files.

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/registry.h"
#include "base/text.h"
#include "tasks/registry.h"
#include "tasks/scoring/ruler_predictions.h"
#include "tasks/scoring/ruler_scores.h"
#include "tasks/scoring/score.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuite = "ruler/";

std::string full_name(std::string_view task) { return fmt::format("{}{}", kSuite, task); }

// Official order, without the suite.
std::vector<std::string> ruler_tasks() {
  std::vector<std::string> names;
  for (const std::string& name : resolve_tasks("ruler")) {
    names.push_back(name.substr(kSuite.size()));
  }
  return names;
}

std::vector<std::string> wanted_tasks(const ScoreInput& input) {
  const std::vector<std::string> all = ruler_tasks();
  std::vector<std::string> wanted;
  for (std::string_view task : input.tasks) {
    if (task.starts_with(kSuite)) task.remove_prefix(kSuite.size());
    if (std::find(all.begin(), all.end(), task) == all.end()) {
      throw_unknown_name("RULER task", task, all);
    }
    wanted.emplace_back(task);
  }
  return wanted.empty() ? all : wanted;
}

RulerPredictionSet file_set(const fs::path& file, const ScoreInput& input,
                            const std::vector<std::string>& wanted) {
  if (input.tasks.size() == 1) return ruler_prediction_file(file, wanted.front());
  const std::string task = ruler_task_of_file(file);
  if (std::find(wanted.begin(), wanted.end(), task) == wanted.end()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: the name says no RULER task; add --task NAME", file.string()));
  }
  return ruler_prediction_file(file, task);
}

// Files of one folder given one by one are one set.
void add_file(std::vector<RulerPredictionSet>& sets, RulerPredictionSet set) {
  for (RulerPredictionSet& known : sets) {
    if (known.folder != set.folder) continue;
    for (auto& [task, files] : set.files) {
      auto& all = known.files[task];
      all.insert(all.end(), files.begin(), files.end());
    }
    return;
  }
  sets.push_back(std::move(set));
}

std::vector<RulerPredictionSet> find_sets(const ScoreInput& input,
                                          const std::vector<std::string>& wanted) {
  std::vector<RulerPredictionSet> sets;
  for (const fs::path& path : input.paths) {
    std::error_code code;
    if (fs::is_directory(path, code)) {
      for (auto& set : find_ruler_predictions(path, wanted)) sets.push_back(std::move(set));
    } else {
      add_file(sets, file_set(path, input, wanted));
    }
  }
  return sets;
}

// Where several sets say the same of themselves (or nothing), their folders tell them apart.
void name_sets(std::vector<RulerPredictionSet>& sets) {
  std::map<std::pair<std::string, std::int64_t>, int> seen;
  for (const RulerPredictionSet& set : sets) ++seen[{set.model, set.length}];
  for (RulerPredictionSet& set : sets) {
    if (seen[{set.model, set.length}] > 1) {
      set.model = set.folder.lexically_normal().generic_string();
    }
  }
}

std::vector<RulerTaskResult> score_set(const RulerPredictionSet& set,
                                       const std::vector<std::string>& wanted) {
  std::vector<RulerTaskResult> results;
  for (const std::string& task : wanted) {
    const auto files = set.files.find(task);
    if (files == set.files.end()) continue;
    const std::string metric = make_task(full_name(task))->info().metric;
    results.push_back(score_ruler_task(task, metric, read_ruler_predictions(files->second)));
    if (results.back().predictions.empty()) {
      log_warning(fmt::format("{}: no predictions; the official scorer calls that 0",
                              files->second.front().string()));
    }
  }
  return results;
}

void add_records(runs::RunData& run, const RulerPredictionSet& set, const RulerTaskResult& result) {
  const std::string prefix =
      set.model.empty() && set.length == 0 ? "" : fmt::format("{}/{}/", set.model, set.length);
  for (std::size_t i = 0; i < result.predictions.size(); ++i) {
    runs::SampleRecord record;
    record.key = fmt::format("{}{}/{}", prefix, result.task, i);
    record.model = set.model;
    record.task = full_name(result.task);
    record.length = set.length;
    record.index = static_cast<std::int64_t>(i);
    record.prediction = result.predictions[i].prediction;
    record.references = result.predictions[i].references;
    record.metric = result.metric;
    record.score = result.sample_scores[i];
    run.samples.push_back(std::move(record));
  }
}

// The README's averages, for models scored at several lengths.
std::string averages_csv(const std::map<std::string, std::map<std::int64_t, double>>& scores) {
  std::string text = "model,lengths,average,weighted_increasing,weighted_decreasing,effective\n";
  for (const auto& [model, by_length] : scores) {
    std::vector<std::string> lengths;
    for (const auto& [length, ignored] : by_length) lengths.push_back(format_length(length));
    const RulerAverages averages = ruler_averages(by_length);
    text += fmt::format("{},{},{:.2f},{:.2f},{:.2f},{}\n", model, join(lengths, " "),
                        averages.average, averages.weighted_increasing,
                        averages.weighted_decreasing, ruler_effective_length(by_length));
  }
  return text;
}

// One set writes its files beside results.csv; several keep their folders apart.
fs::path output_folder(const RulerPredictionSet& set, bool several) {
  if (!several) return {};
  if (!set.model.empty() && set.model.find('/') == std::string::npos && set.length > 0) {
    return fs::path(set.model) / std::to_string(set.length);
  }
  return path_inside(set.folder);
}

}  // namespace

Scored score_ruler(const ScoreInput& input) {
  const std::vector<std::string> wanted = wanted_tasks(input);
  std::vector<RulerPredictionSet> sets = find_sets(input, wanted);
  name_sets(sets);
  Scored scored;
  runs::RunData& run = scored.runs.emplace_back();
  run.folder = input.paths.front().string();
  std::map<std::string, std::map<std::int64_t, double>> averages;
  for (const RulerPredictionSet& set : sets) {
    const std::vector<RulerTaskResult> results = score_set(set, wanted);
    std::vector<double> task_scores;
    for (const RulerTaskResult& result : results) {
      add_records(run, set, result);
      task_scores.push_back(result.score);
    }
    averages[set.model][set.length] = ruler_length_score(task_scores);
    const fs::path folder = output_folder(set, sets.size() > 1);
    scored.files[folder / ruler_summary_name(results)] = ruler_summary_csv(results);
    scored.files[folder / "submission.csv"] = ruler_submission_csv(results);
  }
  for (const std::string& task : wanted) {
    run.spec.tasks.push_back(full_name(task));
    run.spec.categories[full_name(task)] = make_task(full_name(task))->info().category;
  }
  if (sets.size() > 1) scored.files["averages.csv"] = averages_csv(averages);
  return scored;
}

}  // namespace elastic::tasks
