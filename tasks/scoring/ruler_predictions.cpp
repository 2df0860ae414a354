#include "tasks/scoring/ruler_predictions.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/python_number.h"
#include "base/text.h"
#include "datasets/jsonl.h"
#include "tasks/metrics/string_match.h"
#include "tasks/scoring/refuse_row.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

// Where a stem ends in -N after something that is no underscore: the length of what stands before.
std::optional<std::size_t> chunk_stem(std::string_view stem) {
  const std::size_t hyphen = stem.rfind('-');
  if (hyphen == std::string_view::npos || hyphen == 0 || stem[hyphen - 1] == '_') {
    return std::nullopt;
  }
  const std::string_view number = stem.substr(hyphen + 1);
  const bool digits = !number.empty() && number.find_first_not_of("0123456789") == number.npos;
  return digits ? std::optional(hyphen) : std::nullopt;
}

// MODEL/synthetic/LENGTH/pred: the model and length of a folder, where its path says so.
void name_from_path(RulerPredictionSet& set) {
  const fs::path folder = fs::absolute(set.folder).lexically_normal();
  fs::path at = folder.has_filename() ? folder : folder.parent_path();
  if (at.filename() == "pred") at = at.parent_path();
  const auto length = parse_int(at.filename().string());
  if (!length || *length <= 0) return;
  set.length = *length;
  at = at.parent_path();
  if (at.filename() == "synthetic") set.model = at.parent_path().filename().string();
}

void add_files(RulerPredictionSet& set, std::vector<fs::path> names,
               std::span<const std::string> task_names) {
  std::sort(names.begin(), names.end(), [](const fs::path& a, const fs::path& b) {
    return a.filename().string() < b.filename().string();
  });
  std::map<std::string, std::vector<fs::path>> whole, chunks;
  for (const fs::path& name : names) {
    const std::string task = ruler_task_of_file(name);
    if (std::find(task_names.begin(), task_names.end(), task) == task_names.end()) continue;
    (chunk_stem(name.stem().string()) ? chunks : whole)[task].push_back(name);
  }
  set.files = std::move(chunks);
  set.files.merge(whole);
}

// As pandas writes it; `all_numbers_with_null` makes integers print as floats there.
std::string id_text(const Json& id, bool as_float, const std::string& where) {
  if (id.is_string()) return id.get<std::string>();
  if (id.is_null()) return "";
  if (id.is_boolean()) return id.get<bool>() ? "True" : "False";
  if (id.is_number_float() || (as_float && id.is_number())) return python_float(id.get<double>());
  if (id.is_number()) return id.dump();
  refuse_row(where, "the sample's id is neither text nor a number");
}

void write_ids(std::vector<RulerPrediction>& predictions, const std::vector<Json>& ids,
               const std::vector<std::string>& where) {
  const bool numbers = std::all_of(ids.begin(), ids.end(),
                                   [](const Json& id) { return id.is_number() || id.is_null(); });
  const bool as_float = numbers && std::any_of(ids.begin(), ids.end(), [](const Json& id) {
                          return id.is_null() || id.is_number_float();
                        });
  for (std::size_t i = 0; i < ids.size(); ++i) {
    predictions[i].id = id_text(ids[i], as_float, where[i]);
  }
}

Json sample_id(const Json& row, const std::string& where) {
  const auto others = row.find("others");
  if (others != row.end() && !others->is_null()) {
    if (!others->is_object()) refuse_row(where, "key `others` is no object");
    if (const auto id = others->find("id"); id != others->end()) return *id;
  }
  const auto index = row.find("index");
  if (index == row.end()) refuse_row(where, "key `index` is missing");
  return *index;
}

void read_references(const Json& row, const std::string& where, RulerPrediction& prediction) {
  Json references = Json::array();
  if (const auto it = row.find("outputs"); it != row.end()) {
    references = *it;
  } else {
    references.push_back(row.contains("output") ? row.at("output") : Json(""));
  }
  if (!references.is_array()) refuse_row(where, "key `outputs` is no list");
  if (references.empty())
    refuse_row(where, "key `outputs` is an empty list: nothing to score against");
  prediction.first_reference_null = references.front().is_null();
  for (const Json& reference : references) {
    if (reference.is_null() && prediction.first_reference_null) continue;
    if (!reference.is_string()) refuse_row(where, "key `outputs` holds something that is no text");
    prediction.references.push_back(reference.get<std::string>());
  }
}

RulerPrediction read_ruler_row(const Json& row, const std::string& where) {
  RulerPrediction prediction;
  const auto pred = row.find("pred");
  if (pred == row.end()) refuse_row(where, "key `pred` is missing: not a RULER prediction file");
  if (!pred->is_string() && !pred->is_null()) refuse_row(where, "key `pred` is no text");
  if (pred->is_string()) prediction.prediction = ruler_postprocess(pred->get<std::string>());
  read_references(row, where, prediction);
  return prediction;
}

}  // namespace

std::string ruler_task_of_file(const fs::path& file) {
  if (file.extension() != ".jsonl") return "";
  const std::string stem = file.stem().string();
  const auto chunk = chunk_stem(stem);
  return chunk ? stem.substr(0, *chunk) : stem;
}

std::vector<RulerPredictionSet> find_ruler_predictions(const fs::path& root,
                                                       std::span<const std::string> task_names) {
  std::error_code code;
  std::map<fs::path, std::vector<fs::path>> by_folder;
  fs::recursive_directory_iterator it(root, fs::directory_options::skip_permission_denied, code);
  for (; !code && it != fs::recursive_directory_iterator(); it.increment(code)) {
    if (it->is_regular_file(code) && it->path().extension() == ".jsonl") {
      by_folder[it->path().parent_path()].push_back(it->path());
    }
  }
  if (code) {
    throw Error(
        code == std::errc::no_such_file_or_directory ? ErrorKind::kNotFound : ErrorKind::kIo,
        fmt::format("{}: cannot list: {}", root.string(), code.message()));
  }
  std::vector<RulerPredictionSet> sets;
  for (auto& [folder, names] : by_folder) {
    RulerPredictionSet set{.folder = folder};
    add_files(set, std::move(names), task_names);
    if (set.files.empty()) continue;
    name_from_path(set);
    sets.push_back(std::move(set));
  }
  if (sets.empty()) {
    throw Error(
        ErrorKind::kNotFound,
        fmt::format("{}: no RULER prediction files in or below it; expected TASK.jsonl with "
                    "TASK one of {}",
                    root.string(), join({task_names.begin(), task_names.end()}, ", ")));
  }
  return sets;
}

RulerPredictionSet ruler_prediction_file(const fs::path& file, std::string_view task) {
  RulerPredictionSet set{.folder = file.has_parent_path() ? file.parent_path() : fs::path(".")};
  set.files[std::string(task)] = {file};
  name_from_path(set);
  return set;
}

std::vector<RulerPrediction> read_ruler_predictions(std::span<const fs::path> files) {
  std::vector<RulerPrediction> predictions;
  std::vector<Json> ids;
  std::vector<std::string> where;
  for (const fs::path& file : files) {
    datasets::JsonlReader rows(file);
    while (const auto row = rows.next()) {
      where.push_back(rows.where());
      predictions.push_back(read_ruler_row(*row, where.back()));
      ids.push_back(sample_id(*row, where.back()));
      const RulerPrediction& last = predictions.back();
      if (last.first_reference_null && !predictions.front().first_reference_null) {
        refuse_row(where.back(), "key `outputs` holds null");
      }
    }
  }
  write_ids(predictions, ids, where);
  return predictions;
}

}  // namespace elastic::tasks
