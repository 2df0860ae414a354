#pragma once

// LongBench prediction folders as others leave them: pred/MODEL/SET.jsonl, pred_e/MODEL/SET.jsonl,
// or any folder of SET.jsonl files, with result.json beside them where it was scored before.
//
//   for (const LongbenchFolder& folder : find_longbench_predictions("pred"))
//     for (const LongbenchFile& file : folder.files) read_longbench_predictions(file.path);

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace elastic::tasks {

struct LongbenchPrediction {
  std::string prediction;
  std::vector<std::string> answers;
  std::optional<std::vector<std::string>> classes;  // nothing: null
  std::optional<double> length;                     // words or characters; nothing: no such key
};

struct LongbenchFile {
  std::filesystem::path path;
  std::string set;  // the name up to its first dot
};

struct LongbenchFolder {
  std::filesystem::path folder;
  std::string model;                 // of the folder's name, or its parent's for `pred`
  bool e = false;                    // LongBench-E, by the folder's name or one of two above it
  std::vector<LongbenchFile> files;  // by name; sets of other names too
};

/// Every folder at or below `root` that holds a file of a known set, in path order; `root` itself
/// whatever its .jsonl files are called. Links to folders are not followed. Throws kNotFound where
/// there is none.
std::vector<LongbenchFolder> find_longbench_predictions(const std::filesystem::path& root);

/// The set of a file name: "trec.jsonl" and "trec.old.jsonl" are "trec"; "" for other extensions.
std::string longbench_set_of_file(const std::filesystem::path& file);

/// Whether a path is of LongBench-E: pred_e, ..._e or longbench_e... among its last three parts.
bool is_longbench_e(const std::filesystem::path& folder);

/// Lines with `pred`, `answers`, `all_classes` and, where known, `length`. Throws kNotFound,
/// kCorrupt naming file, line and key; a file without lines is an error too.
std::vector<LongbenchPrediction> read_longbench_predictions(const std::filesystem::path& file);

/// A published result.json: set -> score, or -> bucket -> score. NaN literals are read as null.
/// Nothing where there is none.
std::optional<Json> published_longbench_result(const std::filesystem::path& folder);

}  // namespace elastic::tasks
