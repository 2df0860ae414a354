#include "tasks/scoring/longbench_predictions.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "datasets/jsonl.h"
#include "tasks/longbench/sets.h"
#include "tasks/scoring/refuse_row.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr int kNamedParts = 3;  // of a path, that may say which benchmark it is

const Json& require(const Json& row, std::string_view key, const std::string& where) {
  const auto it = row.find(key);
  if (it == row.end()) {
    refuse_row(where, fmt::format("key `{}` is missing: not a LongBench prediction file", key));
  }
  return *it;
}

std::vector<std::string> texts(const Json& list, std::string_view key, const std::string& where) {
  if (!list.is_array()) refuse_row(where, fmt::format("key `{}` is no list", key));
  std::vector<std::string> all;
  for (const Json& entry : list) {
    if (!entry.is_string())
      refuse_row(where, fmt::format("key `{}` holds something that is no text", key));
    all.push_back(entry.get<std::string>());
  }
  return all;
}

LongbenchPrediction read_prediction(const Json& row, const std::string& where) {
  LongbenchPrediction prediction;
  const Json& text = require(row, "pred", where);
  if (!text.is_string()) refuse_row(where, "key `pred` is no text");
  prediction.prediction = text.get<std::string>();
  prediction.answers = texts(require(row, "answers", where), "answers", where);
  const Json& classes = require(row, "all_classes", where);
  if (!classes.is_null()) prediction.classes = texts(classes, "all_classes", where);
  if (const auto length = row.find("length"); length != row.end()) {
    if (!length->is_number()) refuse_row(where, "key `length` is no number");
    prediction.length = length->get<double>();
  }
  return prediction;
}

fs::path clean(const fs::path& path) {
  const fs::path normal = fs::absolute(path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

LongbenchFolder folder_of(const fs::path& folder) {
  LongbenchFolder found{.folder = folder, .e = is_longbench_e(folder)};
  const fs::path path = clean(folder);
  const std::string name = path.filename().string();
  found.model = name == "pred" || name == "pred_e" ? path.parent_path().filename().string() : name;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string set = longbench_set_of_file(entry.path());
    if (!set.empty() && entry.is_regular_file(ignored)) found.files.push_back({entry.path(), set});
  }
  std::sort(found.files.begin(), found.files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return found;
}

bool has_known_set(const LongbenchFolder& folder) {
  return std::any_of(folder.files.begin(), folder.files.end(), [](const LongbenchFile& file) {
    return find_longbench_set(file.set) != nullptr;
  });
}

// The bare words NaN and Infinity of Python's writer, which JSON does not have.
std::string without_nan(std::string text) {
  for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
    text = replace_all(text, word, "null");
  }
  return text;
}

}  // namespace

std::string longbench_set_of_file(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.ends_with("jsonl") ? name.substr(0, name.find('.')) : "";
}

bool is_longbench_e(const fs::path& folder) {
  fs::path at = clean(folder);
  for (int i = 0; i < kNamedParts && at.has_filename(); ++i, at = at.parent_path()) {
    const std::string name = at.filename().string();
    const std::string_view head = std::string_view(name).substr(0, 12);
    if (name.ends_with("_e") || name.ends_with("-e") || head == "longbench_e_" ||
        head == "longbench-e-") {
      return true;
    }
  }
  return false;
}

std::vector<LongbenchFolder> find_longbench_predictions(const fs::path& root) {
  std::vector<LongbenchFolder> found;
  if (LongbenchFolder own = folder_of(root); !own.files.empty()) found.push_back(std::move(own));
  std::error_code code;
  for (fs::recursive_directory_iterator it(root, code), end; !code && it != end;
       it.increment(code)) {
    if (!it->is_directory(code) || it->is_symlink(code)) continue;
    if (LongbenchFolder folder = folder_of(it->path()); has_known_set(folder)) {
      found.push_back(std::move(folder));
    }
  }
  if (found.empty()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: no LongBench predictions (SET.jsonl, such as hotpotqa.jsonl) here "
                            "or below",
                            root.string()));
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.folder < b.folder; });
  return found;
}

std::vector<LongbenchPrediction> read_longbench_predictions(const fs::path& file) {
  datasets::JsonlReader reader(file, datasets::kMaxJsonlLine, datasets::LoneSurrogates::kReplace);
  std::vector<LongbenchPrediction> predictions;
  while (const auto row = reader.next())
    predictions.push_back(read_prediction(*row, reader.where()));
  if (predictions.empty()) refuse_row(file.string(), "no predictions: the file is empty");
  return predictions;
}

std::optional<Json> published_longbench_result(const fs::path& folder) {
  const fs::path file = folder / "result.json";
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::nullopt;
  Json result = parse_json(without_nan(read_file(file)), file.string());
  if (!result.is_object()) refuse_row(file.string(), "expected an object of scores by set");
  return result;
}

}  // namespace elastic::tasks
