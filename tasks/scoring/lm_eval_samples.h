#pragma once

// Sample logs of lm-evaluation-harness: OUT/MODEL/samples_TASK_TIME.jsonl.
//
//   for (const LmEvalFile& file : find_lm_eval_samples("out"))
//     for (const LmEvalSample& s : read_lm_eval_samples(file.path)) ...

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace elastic::tasks {

struct LmEvalFile {
  std::filesystem::path path;
  std::string model;  // the folder's name, "__" for "/" as the harness writes it
  std::string task;
};

struct LmEvalSample {
  std::int64_t doc_id = 0;
  std::string filter;                    // "none", "strict-match", ...
  std::string prediction;                // the filtered reply
  std::vector<std::string> references;   // doc.answers or doc.outputs, else the target
  std::vector<std::string> all_classes;  // doc.all_classes
  std::optional<double> length;          // doc.length
  std::vector<std::pair<std::string, double>> metrics;  // as stored, in the log's order
};

/// Files at or below `root`, by path; `root` itself where it is a file. Throws kNotFound.
std::vector<LmEvalFile> find_lm_eval_samples(const std::filesystem::path& root);

/// Throws kCorrupt naming file, line and key.
std::vector<LmEvalSample> read_lm_eval_samples(const std::filesystem::path& file);

}  // namespace elastic::tasks
