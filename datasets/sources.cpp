#include "datasets/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "datasets/archive.h"
#include "datasets/build_prompt_pack.h"
#include "datasets/folders.h"
#include "datasets/import.h"
#include "datasets/tar_archive.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPassing = ".fetch";  // below the data folder

FileStatus inspect_file(const DataSource& source, const DataFile* file, const std::string& path,
                        const fs::path& data_dir, std::int64_t hash_limit) {
  FileStatus status{.source = &source, .path = path};
  std::error_code code;
  const fs::path full = data_dir / path;
  if (!fs::is_regular_file(full, code)) return status;
  status.bytes = static_cast<std::int64_t>(fs::file_size(full, code));
  const bool sized =
      file != nullptr && std::any_of(file->identities.begin(), file->identities.end(),
                                     [&](const Identity& id) { return id.bytes == status.bytes; });
  if (status.bytes > hash_limit) {
    const bool other = file != nullptr && !source.open && !sized;
    status.state = other ? FileState::kMismatch : FileState::kPresent;
    return status;
  }
  status.sha256 = sha256_file(full);
  const Identity* identity = nullptr;
  for (const DataFile& candidate : source.files) {
    if (const Identity* found = find_identity(candidate, status.sha256)) identity = found;
  }
  if (identity != nullptr) status.label = identity->label;
  status.state = identity != nullptr              ? FileState::kVerified
                 : source.open || file == nullptr ? FileState::kUnknown
                                                  : FileState::kMismatch;
  return status;
}

// Names in the pattern's folder that match its one star.
std::vector<std::string> pattern_matches(std::string_view pattern, const fs::path& data_dir) {
  std::vector<std::string> found;
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return found;
  const std::size_t slash = pattern.rfind('/', star);
  const std::string_view folder = pattern.substr(0, slash);
  const std::string_view begin = pattern.substr(slash + 1, star - slash - 1);
  const std::string_view end = pattern.substr(star + 1);
  std::error_code code;
  for (fs::directory_iterator it(data_dir / folder, code), last; !code && it != last;
       it.increment(code)) {
    const std::string name = it->path().filename().string();
    if (name.size() >= begin.size() + end.size() && name.starts_with(begin) &&
        name.ends_with(end)) {
      found.push_back(fmt::format("{}/{}", folder, name));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> urls_of(const DataSource& source, std::string_view remote) {
  std::vector<std::string> urls;
  for (const std::string_view mirror : source.mirrors)
    urls.push_back(fmt::format("{}{}", mirror, remote));
  return urls;
}

std::string own_mirror(const FetchOptions& options, std::string_view path) {
  return fmt::format("{}{}{}", options.mirror, options.mirror.ends_with('/') ? "" : "/", path);
}

bool is_good(const DataSource& source, const DataFile& file, const fs::path& data_dir) {
  const FileStatus status =
      inspect_file(source, &file, std::string(file.path), data_dir, INT64_MAX);
  return status.state == FileState::kVerified || status.state == FileState::kUnknown;
}

PullRequest pinned_request(const DataFile& file, const fs::path& data_dir) {
  const Identity& identity = file.identities.front();
  return {.target = data_dir / file.path,
          .sha256 = std::string(identity.sha256),
          .bytes = identity.bytes};
}

// From the user's own server a source without a single identity is
// taken as it is, if it has the right form.
void fetch_open_file(const DataSource& source, const DataFile& file, const fs::path& data_dir,
                     const FetchOptions& options) {
  const fs::path target = data_dir / file.path;
  pull({.urls = {own_mirror(options, file.path)}, .target = target}, options.pull);
  std::string reason;
  if (has_shape(target, source.shape, reason)) return;
  std::error_code ignored;
  fs::remove(target, ignored);
  throw Error(ErrorKind::kCorrupt,
              fmt::format("{}: what the mirror sent is not it: {}", file.path, reason));
}

std::vector<std::string> fetch_files(const DataSource& source, const fs::path& data_dir,
                                     const FetchOptions& options) {
  std::vector<std::string> written;
  for (const DataFile& file : source.files) {
    if (is_good(source, file, data_dir)) continue;
    if (source.open) {
      fetch_open_file(source, file, data_dir, options);
      written.emplace_back(file.path);
      continue;
    }
    PullRequest request = pinned_request(file, data_dir);
    if (source.kind == SourceKind::kFiles) request.urls = urls_of(source, file.remote);
    if (!options.mirror.empty()) {
      request.urls.insert(request.urls.begin(), own_mirror(options, file.path));
    }
    if (pull(request, options.pull)) written.emplace_back(file.path);
  }
  return written;
}

std::vector<std::string> fetch_archive(const DataSource& source, const fs::path& data_dir,
                                       const FetchOptions& options) {
  const PassingFolder passing(data_dir / kPassing);
  const fs::path archive = passing.path() / source.archive_remote;
  pull({.urls = urls_of(source, source.archive_remote),
        .target = archive,
        .sha256 = std::string(source.archive.sha256),
        .bytes = source.archive.bytes},
       options.pull);
  return unpack_source(source, archive, data_dir);
}

std::vector<std::string> fetch_prompt_pack(const DataSource& source, const fs::path& data_dir,
                                           const FetchOptions& options) {
  const PassingFolder passing(data_dir / kPassing);
  std::map<std::string, std::string> texts;
  for (const std::string_view file : prompt_source_files()) {
    const fs::path target = passing.path() / replace_all(file, "/", "_");
    pull({.urls = urls_of(source, fmt::format("{}{}", source.archive_remote, file)),
          .target = target},
         options.pull);
    texts[std::string(file)] = read_file(target);
  }
  const std::string profile =
      fmt::format("ruler@{}", source.files.front().identities.front().label);
  const Json pack = build_prompt_pack(texts, official_pack_origin(profile));
  const fs::path target = data_dir / source.files.front().path;
  create_folders(target.parent_path());
  write_file_atomic(target, prompt_pack_text(pack));
  return {std::string(source.files.front().path)};
}

// The parameters are sets: sorted, they have one spelling (LF, no final one).
std::string sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::string_view line : split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.emplace_back(line);
  }
  std::sort(lines.begin(), lines.end());
  return join(lines, "\n");
}

// The source's members of its archive: a zip file (wheels too) or a source package's .tar.gz.
std::map<std::string, std::string> archive_members(const DataSource& source,
                                                   const fs::path& archive_path) {
  std::vector<std::string> names;
  for (const DataFile& file : source.files) names.emplace_back(file.remote);
  if (source.archive_remote.ends_with(".tar.gz")) return read_tar_gz(archive_path, names);
  const ZipArchive archive(archive_path);
  std::map<std::string, std::string> members;
  for (const std::string& name : names) members[name] = archive.read(name);
  return members;
}

}  // namespace

std::string_view to_string(FileState state) {
  switch (state) {
    case FileState::kMissing:
      return "missing";
    case FileState::kVerified:
      return "verified";
    case FileState::kUnknown:
      return "unknown corpus";
    case FileState::kPresent:
      return "present";
    case FileState::kMismatch:
      return "wrong bytes";
  }
  return "";
}

const Identity* find_identity(const DataFile& file, std::string_view sha256) {
  for (const Identity& identity : file.identities) {
    if (identity.sha256 == sha256) return &identity;
  }
  return nullptr;
}

std::vector<FileStatus> inspect(const DataSource& source, const fs::path& data_dir,
                                std::int64_t hash_limit) {
  std::vector<FileStatus> files;
  for (const DataFile& file : source.files) {
    files.push_back(inspect_file(source, &file, std::string(file.path), data_dir, hash_limit));
  }
  for (const std::string& path : pattern_matches(source.name_pattern, data_dir)) {
    const bool listed = std::any_of(files.begin(), files.end(),
                                    [&](const FileStatus& f) { return f.path == path; });
    if (!listed) files.push_back(inspect_file(source, nullptr, path, data_dir, hash_limit));
  }
  return files;
}

std::vector<std::string> unpack_source(const DataSource& source, const fs::path& archive_path,
                                       const fs::path& data_dir) {
  std::vector<std::pair<std::string, std::string>> contents;
  const std::map<std::string, std::string> members = archive_members(source, archive_path);
  for (const DataFile& file : source.files) {
    std::string bytes = members.at(std::string(file.remote));
    if (source.open) bytes = sorted_lines(bytes);
    const std::string found = sha256_hex(bytes);
    if (!source.open && find_identity(file, found) == nullptr) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: member `{}` has sha256 {}, expected {}", archive_path.string(),
                              file.remote, found, file.identities.front().sha256));
    }
    contents.emplace_back(file.path, std::move(bytes));
  }
  std::vector<std::string> written;
  for (const auto& [path, bytes] : contents) {
    create_folders((data_dir / path).parent_path());
    write_file_atomic(data_dir / path, bytes);
    written.push_back(path);
  }
  return written;
}

std::vector<std::string> fetch_source(const DataSource& source, const fs::path& data_dir,
                                      const FetchOptions& options) {
  const bool whole = std::all_of(source.files.begin(), source.files.end(),
                                 [&](const DataFile& f) { return is_good(source, f, data_dir); });
  if (whole) return {};
  if (!options.mirror.empty() || source.kind == SourceKind::kFiles) {
    try {
      return fetch_files(source, data_dir, options);
    } catch (const Error& error) {
      const bool another_way =
          source.kind == SourceKind::kArchive || source.kind == SourceKind::kPromptPack;
      if (!another_way || error.kind() == ErrorKind::kIo) throw;
    }
  }
  if (source.kind == SourceKind::kImportOnly) {
    throw Error(ErrorKind::kNotFound, missing_data(source.name));
  }
  return source.kind == SourceKind::kArchive ? fetch_archive(source, data_dir, options)
                                             : fetch_prompt_pack(source, data_dir, options);
}

}  // namespace elastic::datasets
