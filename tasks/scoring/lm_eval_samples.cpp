#include "tasks/scoring/lm_eval_samples.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "datasets/jsonl.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "samples_", kSuffix = ".jsonl";
constexpr int kMaxNesting = 8;

// "samples_longbench_trec_2025-01-31T10-00-00.123.jsonl" -> "longbench_trec".
std::string task_of(const fs::path& file) {
  std::string name = file.filename().string();
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return "";
  name = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  const std::size_t time = name.rfind('_');
  const bool dated = time != std::string::npos && time + 4 < name.size() &&
                     parse_int(std::string_view(name).substr(time + 1, 4)).has_value();
  return dated ? name.substr(0, time) : name;
}

LmEvalFile file_of(const fs::path& path) {
  const std::string folder = fs::absolute(path).parent_path().filename().string();
  return {path, replace_all(folder, "__", "/"), task_of(path)};
}

// The first text of a reply, however it is nested in lists.
std::optional<std::string> first_text(const Json& value, int depth = 0) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  if (!value.is_array() || value.empty() || depth > kMaxNesting) return std::nullopt;
  return first_text(value.front(), depth + 1);
}

std::vector<std::string> texts(const Json& list) {
  std::vector<std::string> all;
  for (const Json& entry : list) {
    if (const auto text = first_text(entry)) all.push_back(*text);
  }
  return all;
}

void read_doc(const Json& row, LmEvalSample& sample) {
  const auto doc = row.find("doc");
  if (doc != row.end() && doc->is_object()) {
    for (const char* key : {"answers", "outputs"}) {
      if (const auto it = doc->find(key); it != doc->end() && it->is_array()) {
        sample.references = texts(*it);
        break;
      }
    }
    if (const auto it = doc->find("all_classes"); it != doc->end() && it->is_array()) {
      sample.all_classes = texts(*it);
    }
    if (const auto it = doc->find("length"); it != doc->end() && it->is_number()) {
      sample.length = it->get<double>();
    }
  }
  if (sample.references.empty() && row.contains("target")) {
    const Json& target = row.at("target");
    sample.references = target.is_array() ? texts(target) : texts(Json::array({target}));
  }
}

void read_metrics(const Json& row, LmEvalSample& sample) {
  const auto names = row.find("metrics");
  if (names == row.end() || !names->is_array()) return;
  for (const Json& name : *names) {
    if (!name.is_string()) continue;
    const auto value = row.find(name.get<std::string>());
    if (value != row.end() && (value->is_number() || value->is_boolean())) {
      sample.metrics.emplace_back(name.get<std::string>(), value->is_boolean()
                                                               ? (value->get<bool>() ? 1.0 : 0.0)
                                                               : value->get<double>());
    }
  }
}

LmEvalSample read_sample(const Json& row, const std::string& where) {
  LmEvalSample sample;
  sample.doc_id = json_get<std::int64_t>({row, where}, "doc_id");
  sample.filter = json_get_or<std::string>({row, where}, "filter", "none");
  for (const char* key : {"filtered_resps", "resps"}) {
    const auto replies = row.find(key);
    if (replies == row.end()) continue;
    if (const auto text = first_text(*replies)) {
      sample.prediction = *text;
      read_doc(row, sample);
      read_metrics(row, sample);
      return sample;
    }
  }
  throw Error(ErrorKind::kCorrupt,
              fmt::format("{}: keys `filtered_resps` and `resps` hold no text", where));
}

}  // namespace

std::vector<LmEvalFile> find_lm_eval_samples(const fs::path& root) {
  std::error_code code;
  if (fs::is_regular_file(root, code)) return {file_of(root)};
  std::vector<LmEvalFile> files;
  for (fs::recursive_directory_iterator it(root, code), end; !code && it != end;
       it.increment(code)) {
    if (it->is_regular_file(code) && !task_of(it->path()).empty()) {
      files.push_back(file_of(it->path()));
    }
  }
  if (files.empty()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: no samples_TASK_TIME.jsonl here or below (lm_eval writes them "
                            "with --log_samples)",
                            root.string()));
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

std::vector<LmEvalSample> read_lm_eval_samples(const fs::path& file) {
  datasets::JsonlReader reader(file, datasets::kMaxJsonlLine, datasets::LoneSurrogates::kReplace);
  std::vector<LmEvalSample> samples;
  while (const auto row = reader.next()) samples.push_back(read_sample(*row, reader.where()));
  if (samples.empty()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: holds no samples", file.string()));
  }
  return samples;
}

}  // namespace elastic::tasks
