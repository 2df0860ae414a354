// `score --format longbench`: prediction folders of LongBench and LongBench-E, with the official
// result.json, every fitting profile on the same predictions, and a published result.json compared.

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "tasks/scoring/evaluate.h"
#include "tasks/scoring/longbench_profiles.h"
#include "tasks/scoring/score.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

// What --task asks for.
struct Wanted {
  std::optional<bool> e;          // a bare suite says which benchmark it is
  std::vector<std::string> sets;  // empty: all
};

Wanted parse_tasks(const ScoreInput& input) {
  Wanted wanted;
  for (std::string_view task : input.tasks) {
    for (const auto& [suite, e] : {std::pair("longbench_e", true), std::pair("longbench", false)}) {
      if (task != suite && !task.starts_with(fmt::format("{}/", suite))) continue;
      wanted.e = e;
      task.remove_prefix(std::min(std::string_view(suite).size() + 1, task.size()));
      break;
    }
    if (!task.empty()) wanted.sets.emplace_back(longbench_set(task).name);
  }
  return wanted;
}

std::vector<LongbenchFolder> find_folders(const ScoreInput& input, const Wanted& wanted) {
  std::vector<LongbenchFolder> folders;
  for (const fs::path& path : input.paths) {
    std::error_code code;
    if (fs::is_directory(path, code)) {
      for (auto& folder : find_longbench_predictions(path)) {
        folders.push_back(std::move(folder));
      }
    } else {
      const std::string set =
          wanted.sets.size() == 1 ? wanted.sets.front() : longbench_set_of_file(path);
      // Absolute: a bare file name has no folder to be called by.
      const fs::path folder = fs::absolute(path).lexically_normal().parent_path();
      folders.push_back({.folder = folder,
                         .model = folder.filename().string(),
                         .e = is_longbench_e(folder),
                         .files = {{path, set}}});
    }
  }
  for (LongbenchFolder& folder : folders) {
    if (wanted.e) folder.e = *wanted.e;
    std::erase_if(folder.files, [&](const LongbenchFile& file) {
      return !wanted.sets.empty() &&
             std::find(wanted.sets.begin(), wanted.sets.end(), file.set) == wanted.sets.end();
    });
  }
  return folders;
}

// Where several folders have the same name, their paths tell them apart.
void name_folders(std::vector<LongbenchFolder>& folders) {
  std::map<std::string, int> seen;
  for (const LongbenchFolder& folder : folders) ++seen[folder.model];
  for (LongbenchFolder& folder : folders) {
    if (seen[folder.model] > 1) folder.model = folder.folder.lexically_normal().generic_string();
  }
}

// Scores of one folder in both modes of code similarity.
struct FolderScores {
  std::vector<LongbenchSetScores> sets, other;  // `other`: code sets in the other mode
};

CodeSimilarity other_mode(CodeSimilarity mode) {
  return mode == CodeSimilarity::kDifflib ? CodeSimilarity::kIndel : CodeSimilarity::kDifflib;
}

void add_records(runs::RunData& run, const LongbenchFolder& folder,
                 const LongbenchFileResult& result, CodeSimilarity code) {
  const LongbenchSet& set = longbench_set(result.scores.set);
  const std::string task = fmt::format("{}/{}", folder.e ? "longbench_e" : "longbench", set.name);
  if (std::find(run.spec.tasks.begin(), run.spec.tasks.end(), task) == run.spec.tasks.end()) {
    run.spec.tasks.push_back(task);
  }
  run.spec.categories[task] = set.category;
  for (std::size_t i = 0; i < result.predictions.size(); ++i) {
    const LongbenchPrediction& p = result.predictions[i];
    runs::SampleRecord record;
    record.key = fmt::format("{}/{}/{}", folder.model, task, i);
    record.model = folder.model;
    record.task = task;
    record.index = static_cast<std::int64_t>(i);
    record.prediction = p.prediction;
    record.references = p.answers;
    record.metric = longbench_metric_name(set, code);
    record.score = result.scores.scores[i];
    record.strata["language"] = set.language;
    if (p.length) {
      record.strata["length"] = kLengthBuckets[length_bucket(*p.length)];
    }
    run.samples.push_back(std::move(record));
  }
}

FolderScores score_folder(const LongbenchFolder& folder, const ScoreInput& input, Scored& scored) {
  LongbenchScorer scorer{.code = input.code_similarity, .segmenter = nullptr};
  FolderScores scores;
  for (const LongbenchFile& file : folder.files) {
    try {
      const auto* set = find_longbench_set(file.set);
      if (set != nullptr && needs_segmentation(*set) && scorer.segmenter == nullptr) {
        scorer.segmenter = shared_segmenter(input.data_dir);
      }
      const auto result = evaluate_longbench_file(file, scorer);
      add_records(scored.runs.front(), folder, result, scorer.code);
      scores.sets.push_back(result.scores);
      if (set->metric == LongbenchMetric::kCodeSimilarity) {
        LongbenchScorer other = scorer;
        other.code = other_mode(scorer.code);
        scores.other.push_back(rescore_longbench(result, other));
      }
    } catch (const Error& error) {
      scored.failures.emplace_back(error.kind(),
                                   fmt::format("{}: {}", file.path.string(), error.what()));
    }
  }
  return scores;
}

// All sets, the code sets in the other mode.
std::vector<LongbenchSetScores> with_other_mode(const FolderScores& scores) {
  std::vector<LongbenchSetScores> all = scores.sets;
  for (LongbenchSetScores& set : all) {
    for (const LongbenchSetScores& other : scores.other) {
      if (other.set == set.set) set = other;
    }
  }
  return all;
}

// Our numbers beside those of a result.json that lay with the predictions.
Json compare_published(const Json& published, const FolderScores& scores, bool e,
                       CodeSimilarity code, std::string& text) {
  const auto ours = [e](const std::vector<LongbenchSetScores>& sets) {
    return parse_json(replace_all(longbench_result_json(sets, e), "NaN", "null"), "result");
  };
  const Json main = ours(scores.sets), other = ours(scores.other);
  Json rows = Json::object();
  std::size_t equal = 0, equal_other = 0;
  for (const LongbenchSetScores& set : scores.sets) {
    if (!published.contains(set.set)) continue;
    const Json& stored = published.at(set.set);
    Json row = {{"published", stored}, {std::string(to_string(code)), main.at(set.set)}};
    const bool same = stored == main.at(set.set);
    equal += same;
    if (other.contains(set.set)) {
      row[std::string(to_string(other_mode(code)))] = other.at(set.set);
      equal_other += !same && stored == other.at(set.set);
    }
    rows[set.set] = std::move(row);
  }
  text += fmt::format("published result.json: {} of {} sets equal with code similarity {}", equal,
                      rows.size(), to_string(code));
  if (equal_other > 0) {
    text += fmt::format(", {} more with {}", equal_other, to_string(other_mode(code)));
  }
  text += "\n";
  return rows;
}

void add_files(const LongbenchFolder& folder, const FolderScores& scores, const ScoreInput& input,
               const fs::path& output, Scored& scored) {
  if (scores.sets.empty()) return;
  const CodeSimilarity code = input.code_similarity;
  scored.files[output / "result.json"] = longbench_result_json(scores.sets, folder.e);
  Json profiles = profiles_json(scores.sets, folder.e, code);
  if (!scores.other.empty()) {
    const auto others = with_other_mode(scores);
    scored.files[output / fmt::format("result_{}.json", to_string(other_mode(code)))] =
        longbench_result_json(others, folder.e);
    for (Json& profile : profiles_json(others, folder.e, other_mode(code))) {
      profiles.push_back(std::move(profile));
    }
  }
  scored.files[output / "profiles.json"] = dump_pretty(profiles);
  scored.text += profiles_text(folder.model, scores.sets, folder.e);
  if (const auto published = published_longbench_result(folder.folder)) {
    scored.text += folder.model + ", ";
    scored.files[output / "published.json"] =
        dump_pretty(compare_published(*published, scores, folder.e, code, scored.text));
  }
}

}  // namespace

Scored score_longbench(const ScoreInput& input) {
  const Wanted wanted = parse_tasks(input);
  std::vector<LongbenchFolder> folders = find_folders(input, wanted);
  name_folders(folders);
  Scored scored;
  scored.runs.emplace_back().folder = input.paths.front().string();
  scored.runs.front().spec.settings["code_similarity"] = to_string(input.code_similarity);
  for (const LongbenchFolder& folder : folders) {
    const FolderScores scores = score_folder(folder, input, scored);
    const fs::path output = folders.size() == 1 ? fs::path() : path_inside(fs::path(folder.model));
    add_files(folder, scores, input, output, scored);
  }
  return scored;
}

}  // namespace elastic::tasks
