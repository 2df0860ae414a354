#pragma once

// RULER prediction folders as others leave them: ROOT/MODEL/synthetic/LENGTH/pred/TASK.jsonl, or
// any folder of TASK.jsonl files. A task may lie in chunk files TASK-0.jsonl, TASK-1.jsonl, ...,
// which are joined in the order of their names as strings (10 before 2), as the official scorer
// does, and then stand for the task even beside a TASK.jsonl.
//
//   for (const RulerPredictionSet& set : find_ruler_predictions("results"))
//     for (const auto& [task, files] : set.files) read_ruler_predictions(files);

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/scoring/ruler_scores.h"

namespace elastic::tasks {

struct RulerPredictionSet {
  std::filesystem::path folder;
  std::string model;        // from the path MODEL/synthetic/LENGTH/pred; "" where it says nothing
  std::int64_t length = 0;  // tokens, from the same; 0 where it says nothing
  std::map<std::string, std::vector<std::filesystem::path>> files;  // by task, in reading order
};

/// Every folder at or below `root` that holds prediction files of `task_names`, in path order.
/// Links to folders are not followed. Throws kNotFound where there is none.
std::vector<RulerPredictionSet> find_ruler_predictions(const std::filesystem::path& root,
                                                       std::span<const std::string> task_names);

/// The set of a single file, taken as `task`.
RulerPredictionSet ruler_prediction_file(const std::filesystem::path& file, std::string_view task);

/// The task of a file name: "vt.jsonl" and "vt-12.jsonl" are "vt"; "" for other extensions.
std::string ruler_task_of_file(const std::filesystem::path& file);

/// Lines `index, pred, outputs, others` (older: `output`). Throws kNotFound, kCorrupt naming file,
/// line and key.
std::vector<RulerPrediction> read_ruler_predictions(std::span<const std::filesystem::path> files);

}  // namespace elastic::tasks
