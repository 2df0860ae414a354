#include "tasks/scoring/v2_scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/python_number.h"
#include "base/text.h"
#include "datasets/jsonl.h"
#include "tasks/metrics/choice.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr double kGuess = 0.25;  // share of an unanswered row in the compensated score
constexpr std::size_t kWholeFile = std::size_t{256} << 20;

std::string text(const Json& row, const char* key, const std::string& where) {
  return json_get_or<std::string>({row, where}, key, "");
}

std::string set_name(const fs::path& file) {
  const std::string name = file.filename().string();
  const std::size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

void add_row(const Json& row, const std::string& where, V2Set& set) {
  std::optional<V2Prediction> prediction = parse_v2_prediction(row, where);
  if (!prediction) {
    ++set.errors;
    return;
  }
  if (!prediction->response.empty()) {
    const std::optional<char> letter = extract_choice(prediction->response);
    const std::string now = letter ? std::string(1, *letter) : "";
    set.rejudged += now != prediction->pred.value_or("");
  }
  set.predictions.push_back(std::move(*prediction));
}

bool is_array_file(const fs::path& file) {
  std::ifstream in = open_binary(file);
  char c = 0;
  while (in.get(c)) {
    if (std::string_view(" \t\r\n").find(c) == std::string_view::npos) return c == '[';
  }
  return false;
}

void read_array(const fs::path& file, V2Set& set) {
  if (fs::file_size(file) > kWholeFile) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: an array of more than {}; give JSON lines",
                                                 file.string(), format_bytes(kWholeFile)));
  }
  const Json rows = read_json(file);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    add_row(rows[i], fmt::format("{}, row {}", file.string(), i), set);
  }
}

std::string cell(const V2Class& c) {
  const std::optional<double> percent = c.percent();
  return percent ? python_float(*percent) : "none";
}

}  // namespace

std::optional<V2Prediction> parse_v2_prediction(const Json& row, const std::string& where) {
  if (!row.is_object()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: expected a JSON object", where));
  }
  if (const auto error = row.find("error"); error != row.end() && !error->is_null()) {
    return std::nullopt;
  }
  V2Prediction prediction{.id = text(row, "_id", where),
                          .difficulty = json_get<std::string>({row, where}, "difficulty"),
                          .length = json_get<std::string>({row, where}, "length"),
                          .domain = text(row, "domain", where),
                          .sub_domain = text(row, "sub_domain", where),
                          .response = text(row, "response", where),
                          .answer = text(row, "answer", where)};
  const auto pred = row.find("pred");
  if (pred == row.end() || !(pred->is_null() || pred->is_string())) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: key `pred` must be a letter or null", where));
  }
  if (pred->is_string()) prediction.pred = pred->get<std::string>();
  prediction.judge = json_get<bool>({row, where}, "judge");
  return prediction;
}

V2Set read_v2_predictions(const fs::path& file) {
  V2Set set{.name = set_name(file)};
  if (is_array_file(file)) {
    read_array(file, set);
  } else {
    datasets::JsonlReader reader(file, datasets::kMaxJsonlLine, datasets::LoneSurrogates::kReplace);
    while (const auto row = reader.next()) add_row(*row, reader.where(), set);
    set.single_object = set.predictions.size() + static_cast<std::size_t>(set.errors) == 1;
  }
  if (set.predictions.empty() && set.errors == 0) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: holds no predictions", file.string()));
  }
  return set;
}

std::vector<fs::path> find_v2_predictions(const fs::path& root) {
  std::error_code code;
  if (!fs::is_directory(root, code)) return {root};
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator it(root, code), end; !code && it != end;
       it.increment(code)) {
    const std::string extension = it->path().extension().string();
    if (it->is_regular_file(code) && (extension == ".jsonl" || extension == ".json")) {
      files.push_back(it->path());
    }
  }
  if (files.empty()) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no LongBench-V2 predictions (.jsonl, .json) "
                                                  "here or below",
                                                  root.string()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::optional<double> V2Class::percent() const {
  if (n == 0) return std::nullopt;
  return python_round(100 * right / static_cast<double>(n), 1);
}

std::vector<V2Class> v2_classes(const V2Set& set, const V2TableOptions& options) {
  std::vector<V2Class> classes = {{"Overall"}, {"Easy"}, {"Hard"}, {"Short"}, {"Medium"}, {"Long"}};
  for (const V2Prediction& row : set.predictions) {
    double score = row.judge ? 1 : 0;
    if (options.compensated && !row.pred) score = kGuess;
    std::size_t length = 5;
    if (row.length == "short") length = 3;
    if (row.length == "medium") length = 4;
    for (const std::size_t c :
         {std::size_t{0}, std::size_t{row.difficulty == "easy" ? 1U : 2U}, length}) {
      classes[c].right += score;
      ++classes[c].n;
    }
  }
  return classes;
}

std::string v2_result_text(std::span<const V2Set> sets, const V2TableOptions& options) {
  const bool errors =
      std::any_of(sets.begin(), sets.end(), [](const V2Set& set) { return set.errors > 0; });
  std::string out = "Model\tOverall\tEasy\tHard\tShort\tMedium\tLong";
  if (errors) out += "\tErrors";
  for (const V2Set& set : sets) {
    out += "\n" + set.name;
    for (const V2Class& c : v2_classes(set, options)) out += "\t" + cell(c);
    if (errors) out += fmt::format("\t{}", set.errors);
  }
  return out;
}

}  // namespace elastic::tasks
