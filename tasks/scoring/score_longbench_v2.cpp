// `score --format longbench-v2`: prediction files of LongBench-V2, with the official result.txt.

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "tasks/scoring/score.h"
#include "tasks/scoring/v2_scores.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTask = "longbench_v2";

runs::RunData run_of(const V2Set& set, const fs::path& file) {
  runs::RunData run;
  run.folder = file.string();
  run.spec.tasks = {std::string(kTask)};
  for (std::size_t i = 0; i < set.predictions.size(); ++i) {
    const V2Prediction& p = set.predictions[i];
    runs::SampleRecord record;
    record.key = fmt::format("{}/{}", set.name, p.id.empty() ? std::to_string(i) : p.id);
    record.model = set.name;
    record.task = kTask;
    record.index = static_cast<std::int64_t>(i);
    record.prediction = p.response.empty() ? p.pred.value_or("") : p.response;
    if (!p.answer.empty()) record.references = {p.answer};
    record.metric = "accuracy";
    record.score = p.judge ? 1.0 : 0.0;
    record.strata = {{"difficulty", p.difficulty}, {"length", p.length}};
    if (!p.domain.empty()) record.strata["domain"] = p.domain;
    run.samples.push_back(std::move(record));
  }
  // Rows that ended in an error are planned and have no score.
  run.spec.planned[{.mode = {}, .task = std::string(kTask)}] =
      static_cast<std::int64_t>(set.predictions.size()) + set.errors;
  return run;
}

std::string describe(const V2Set& set) {
  std::string text = fmt::format("{}: {} of {} questions answered", set.name,
                                 set.predictions.size(), kV2Questions);
  if (set.errors > 0) text += fmt::format(", {} rows with an error left out", set.errors);
  if (set.rejudged > 0) {
    text += fmt::format(", {} stored letters are not those of their responses", set.rejudged);
  }
  if (set.single_object) text += ", one object: the official script cannot read such a file";
  return text + "\n";
}

}  // namespace

Scored score_longbench_v2(const ScoreInput& input) {
  Scored scored;
  std::vector<V2Set> sets;
  for (const fs::path& path : input.paths) {
    for (const fs::path& file : find_v2_predictions(path)) {
      try {
        sets.push_back(read_v2_predictions(file));
        scored.runs.push_back(run_of(sets.back(), file));
        scored.text += describe(sets.back());
      } catch (const Error& error) {
        scored.failures.push_back(error);
      }
    }
  }
  const std::string table = v2_result_text(sets, {});
  scored.text += table + "\n";
  scored.files["result.txt"] = table;
  scored.files["result_compensated.txt"] = v2_result_text(sets, {.compensated = true});
  return scored;
}

}  // namespace elastic::tasks
