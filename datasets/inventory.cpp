#include "datasets/inventory.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace elastic::datasets {
namespace {

Json status_json(const FileStatus& file) {
  const auto text_or_null = [](std::string_view text) {
    return text.empty() ? Json() : Json(text);
  };
  return {{"source", file.source->name},
          {"path", file.path},
          {"bytes", file.state == FileState::kMissing ? Json() : Json(file.bytes)},
          {"sha256", text_or_null(file.sha256)},
          {"licence", file.source->licence},
          {"state", to_string(file.state)},
          {"identity", text_or_null(file.label)}};
}

}  // namespace

std::vector<const DataSource*> choose_sources(std::span<const std::string> names) {
  std::vector<const DataSource*> sources;
  for (const std::string& name : names) {
    for (const DataSource* source : find_sources(name)) sources.push_back(source);
  }
  if (!names.empty()) return sources;
  for (const DataSource& source : catalog()) {
    if (!source.optional) sources.push_back(&source);
  }
  return sources;
}

std::vector<FileStatus> inspect_all(std::span<const DataSource* const> sources,
                                    const std::filesystem::path& data_dir,
                                    std::int64_t hash_limit) {
  std::vector<FileStatus> files;
  for (const DataSource* source : sources) {
    for (FileStatus& file : inspect(*source, data_dir, hash_limit)) {
      files.push_back(std::move(file));
    }
  }
  return files;
}

std::string fault_of(const FileStatus& file) {
  if (file.state == FileState::kMissing) return missing_data(file.source->name);
  if (file.state != FileState::kMismatch) return "";
  const auto& entries = file.source->files;
  const auto entry = std::find_if(entries.begin(), entries.end(),
                                  [&](const DataFile& one) { return one.path == file.path; });
  return fmt::format("{}: sha256 {}, expected {}; fetch it anew: elastic-bench data fetch {}",
                     file.path, file.sha256, entry->identities.front().sha256, file.source->name);
}

Json inventory_json(std::span<const FileStatus> files, const std::filesystem::path& data_dir) {
  Json rows = Json::array();
  for (const FileStatus& file : files) rows.push_back(status_json(file));
  return {{"schema_version", 1}, {"data_dir", data_dir.string()}, {"files", rows}};
}

}  // namespace elastic::datasets
