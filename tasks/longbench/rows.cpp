#include "tasks/longbench/rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "datasets/archive.h"
#include "datasets/catalog.h"
#include "datasets/jsonl.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFolder = "longbench";

// NAME.jsonl, else the first NAME.something.jsonl, by name.
std::optional<fs::path> set_file(const fs::path& folder, std::string_view set) {
  std::error_code ignored;
  const fs::path plain = folder / fmt::format("{}.jsonl", set);
  if (fs::exists(plain, ignored)) return plain;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(fmt::format("{}.", set)) && name.ends_with(".jsonl")) {
      files.push_back(entry.path());
    }
  }
  if (files.empty()) return std::nullopt;
  return *std::min_element(files.begin(), files.end());
}

void check_row(const Json& row, const std::string& where) {
  for (const char* key : {"input", "context"}) json_get<std::string>({row, where}, key);
  const auto answers = row.find("answers");
  const bool texts =
      answers != row.end() && answers->is_array() &&
      std::all_of(answers->begin(), answers->end(), [](const Json& a) { return a.is_string(); });
  if (!texts) throw Error(ErrorKind::kCorrupt, where + ": key `answers` is no list of texts");
  const auto classes = row.find("all_classes");
  if (classes != row.end() && !classes->is_null() && !classes->is_array()) {
    throw Error(ErrorKind::kCorrupt, where + ": key `all_classes` is neither null nor a list");
  }
}

std::vector<Json> read_member(const RowSource& source, std::int64_t limit) {
  const datasets::ZipArchive archive(source.file);
  const std::string text = archive.read(source.member);
  std::vector<Json> rows;
  std::int64_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (strip(line).empty()) continue;
    if (limit > 0 && static_cast<std::int64_t>(rows.size()) == limit) break;
    stop_if_interrupted();
    const std::string where = fmt::format("{}, {}, line {}", source.name, source.member, number);
    rows.push_back(parse_json(line, where));
    check_row(rows.back(), where);
  }
  return rows;
}

}  // namespace

RowSource find_longbench_rows(const fs::path& data_dir, std::string_view set) {
  const fs::path folder = data_dir / kFolder;
  std::error_code ignored;
  if (const fs::path archive = folder / "data.zip"; fs::exists(archive, ignored)) {
    return {archive, fmt::format("data/{}.jsonl", set), "longbench/data.zip"};
  }
  for (const char* part : {"rows", "derived_rows"}) {
    if (const auto file = set_file(folder / part, set)) {
      return {*file, "", (fs::path(kFolder) / part / file->filename()).generic_string()};
    }
  }
  throw Error(
      ErrorKind::kNotFound,
      fmt::format("no rows of {} under {} (data.zip, rows/{}.jsonl or derived_rows/{}.jsonl): "
                  "{}",
                  set, folder.string(), set, set, datasets::missing_data("longbench/data")));
}

std::int64_t count_longbench_rows(const RowSource& source, std::int64_t limit) {
  const std::string text = source.member.empty()
                               ? read_file(source.file)
                               : datasets::ZipArchive(source.file).read(source.member);
  const auto lines = split(text, '\n');
  const auto rows =
      std::count_if(lines.begin(), lines.end(), [](auto line) { return !strip(line).empty(); });
  return limit > 0 ? std::min<std::int64_t>(rows, limit) : rows;
}

std::vector<Json> read_longbench_rows(const RowSource& source, std::int64_t limit) {
  std::vector<Json> rows;
  if (!source.member.empty()) {
    rows = read_member(source, limit);
  } else {
    datasets::JsonlReader reader(source.file, datasets::kMaxJsonlLine,
                                 datasets::LoneSurrogates::kReplace);
    while (limit <= 0 || static_cast<std::int64_t>(rows.size()) < limit) {
      auto row = reader.next();
      if (!row) break;
      check_row(*row, reader.where());
      rows.push_back(std::move(*row));
    }
  }
  if (rows.empty()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: holds no rows", source.name));
  }
  return rows;
}

std::vector<fs::path> find_v2_rows(const fs::path& data_dir) {
  const fs::path folder = data_dir / "longbench_v2";
  std::error_code ignored;
  if (const fs::path whole = folder / "data.json"; fs::exists(whole, ignored)) return {whole};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  }
  if (files.empty()) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: {}", (folder / "data.json").string(),
                                                  datasets::missing_data("longbench_v2/data")));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace elastic::tasks
