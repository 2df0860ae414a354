#pragma once

// LongBench-V2 results (arXiv 2412.15204): prediction files of the official layout, and the table
// that its script writes.
//
//   V2Set set = read_v2_predictions("results/model.jsonl");
//   std::string table = v2_result_text(std::span(&set, 1), {});
//
// A percentage is 100 * right / all, rounded to one decimal as Python does, over the rows that were
// answered: rows with `error` are left out and counted.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"

namespace elastic::tasks {

inline constexpr std::int64_t kV2Questions = 503;

struct V2Prediction {
  std::string id;
  std::string difficulty;  // "easy", or anything else: hard
  std::string length;      // "short", "medium", or anything else: long
  std::string domain, sub_domain;
  std::string response;
  std::string answer;               // "" where the row does not hold it
  std::optional<std::string> pred;  // the letter; nothing: null
  bool judge = false;
};

struct V2Set {
  std::string name;  // file name without its last dotted part
  std::vector<V2Prediction> predictions;
  std::int64_t errors = 0;     // rows with `error`
  std::int64_t rejudged = 0;   // rows whose stored letter is not the one of their response
  bool single_object = false;  // one object, which the official script cannot read
};

/// One JSON value (an array of rows) or JSON lines. Throws kNotFound,
/// kCorrupt naming file, line and key.
V2Set read_v2_predictions(const std::filesystem::path& file);

/// Files under `root` that look like V2 predictions, by name; `root` itself where it is a file.
std::vector<std::filesystem::path> find_v2_predictions(const std::filesystem::path& root);

/// One row of such a file, or nothing where it only reports an error. `where` names it.
std::optional<V2Prediction> parse_v2_prediction(const Json& row, const std::string& where);

struct V2TableOptions {
  bool compensated = false;  // a row without a letter counts 0.25
};

struct V2Class {
  std::string_view name;  // "Overall", "Easy", ...
  double right = 0;
  std::int64_t n = 0;

  /// 0..100 with one decimal; nothing where there are no rows.
  std::optional<double> percent() const;
};

/// Overall, Easy, Hard, Short, Medium, Long.
std::vector<V2Class> v2_classes(const V2Set& set, const V2TableOptions& options);

/// The bytes of result.txt: tab-separated, no final newline; "none" for a class without rows, and a
/// column Errors where any set has rows with one.
std::string v2_result_text(std::span<const V2Set> sets, const V2TableOptions& options);

}  // namespace elastic::tasks
