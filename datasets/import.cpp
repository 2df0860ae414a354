#include "datasets/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "datasets/build_prompt_pack.h"
#include "datasets/bundle.h"
#include "datasets/folders.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

// Where a file belongs.
struct Place {
  const DataSource* source = nullptr;
  const DataFile* file = nullptr;
  const Identity* identity = nullptr;  // null: an unknown corpus
  bool archive = false;
  std::string path;  // below the data folder
};

std::int64_t size_of(const fs::path& file) {
  std::error_code code;
  const auto size = fs::file_size(file, code);
  if (code) throw Error(ErrorKind::kIo, fmt::format("{}: {}", file.string(), code.message()));
  return static_cast<std::int64_t>(size);
}

std::string base_name(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

// A name that the source accepts beside its own, e.g. a subset.
bool fits_pattern(std::string_view pattern, std::string_view name) {
  const std::string tail = base_name(pattern);
  const std::size_t star = tail.find('*');
  return star != std::string::npos && name.starts_with(tail.substr(0, star)) &&
         name.ends_with(tail.substr(star + 1)) && name.size() >= tail.size() - 1;
}

std::string pattern_path(const DataSource& source, const std::string& name) {
  return std::string(source.name_pattern.substr(0, source.name_pattern.rfind('/') + 1)) + name;
}

// Where a file of this name lies: under the source's own name, or its own where that is accepted.
std::string path_for(const DataSource& source, const DataFile& entry, const fs::path& file) {
  const std::string name = file.filename().string();
  if (!fits_pattern(source.name_pattern, name)) return std::string(entry.path);
  return pattern_path(source, name);
}

// Every place that these bytes belong to, each once. By size first,
// so that nothing large is hashed in vain.
std::vector<Place> places_by_hash(const fs::path& file) {
  const std::int64_t bytes = size_of(file);
  std::string sha256;
  const auto matches = [&](const Identity& identity) {
    if (identity.bytes != bytes || identity.sha256.empty()) return false;
    if (sha256.empty()) sha256 = sha256_file(file);
    return identity.sha256 == sha256;
  };
  std::vector<Place> places;
  const auto add = [&](Place place) {
    const bool known = std::any_of(places.begin(), places.end(),
                                   [&](const Place& other) { return other.path == place.path; });
    if (!known) places.push_back(std::move(place));
  };
  for (const DataSource& source : catalog()) {
    for (const DataFile& entry : source.files) {
      for (const Identity& identity : entry.identities) {
        if (matches(identity)) {
          add({&source, &entry, &identity, false, path_for(source, entry, file)});
        }
      }
    }
    if (matches(source.archive)) add({&source, nullptr, &source.archive, true, ""});
  }
  return places;
}

[[noreturn]] void wrong_bytes(const fs::path& file, const DataFile& entry) {
  const Identity& expected = entry.identities.front();
  throw Error(ErrorKind::kCorrupt,
              fmt::format("{}: not the official {}: sha256 {} ({} bytes), expected {} ({} bytes); "
                          "nothing was imported",
                          file.string(), base_name(entry.path), sha256_file(file), size_of(file),
                          expected.sha256, expected.bytes));
}

std::optional<Place> place_by_name(const fs::path& file) {
  const std::string name = file.filename().string();
  for (const DataSource& source : catalog()) {
    if (source.kind == SourceKind::kArchive && name == source.archive_remote) {
      if (!source.archive.sha256.empty()) {
        throw Error(ErrorKind::kCorrupt,
                    fmt::format("{}: sha256 {}, expected {}; nothing was imported", file.string(),
                                sha256_file(file), source.archive.sha256));
      }
      return Place{&source, nullptr, nullptr, true, ""};
    }
    for (const DataFile& entry : source.files) {
      const bool named = name == base_name(entry.path) ||
                         (!entry.remote.empty() && name == base_name(entry.remote));
      // Names like data.json say too little unless the folder above agrees.
      const bool vague =
          source.shape == Shape::kAny &&
          !(file.parent_path().filename() == fs::path(entry.path).parent_path().filename());
      if (!named || vague || source.optional) continue;
      if (source.open) return Place{&source, &entry, nullptr, false, std::string(entry.path)};
      std::string ignored;
      if (has_shape(file, source.shape, ignored)) wrong_bytes(file, entry);
    }
    if (fits_pattern(source.name_pattern, name) && !source.files.empty()) {
      const DataFile& entry = source.files.front();
      return Place{&source, &entry, nullptr, false, path_for(source, entry, file)};
    }
  }
  return std::nullopt;
}

// Rows of a benchmark: their names are many, so their form decides; of two folders for the same
// form the one that the file comes from.
std::optional<Place> place_of_rows(const fs::path& file) {
  std::optional<Place> found;
  std::string ignored;
  for (const DataSource& source : catalog()) {
    const std::string name = file.filename().string();
    if (!source.files.empty() || !fits_pattern(source.name_pattern, name)) continue;
    const bool same_folder =
        fs::path(source.name_pattern).parent_path().filename() == file.parent_path().filename();
    if ((found && !same_folder) || !has_shape(file, source.shape, ignored)) continue;
    found = Place{&source, nullptr, nullptr, false, pattern_path(source, name)};
  }
  return found;
}

// The source of the pack of a profile, null for a pack of other wording.
const DataSource* prompt_pack_source(std::string_view profile) {
  for (const DataSource& source : catalog()) {
    if (source.kind != SourceKind::kPromptPack) continue;
    const Identity& official = source.files.front().identities.front();
    if (profile == fmt::format("ruler@{}", official.label)) return &source;
  }
  return nullptr;
}

std::optional<Place> place_by_shape(const fs::path& file) {
  if (file.extension() != ".json") return std::nullopt;
  std::string ignored;
  for (const DataSource& source : catalog()) {
    if (source.shape == Shape::kAny || source.shape == Shape::kLines || source.optional) continue;
    if (source.shape == Shape::kPromptPack) continue;  // their profile tells them apart
    if (source.files.empty()) continue;
    if (!has_shape(file, source.shape, ignored)) continue;
    const DataFile& entry = source.files.front();
    if (!source.open) wrong_bytes(file, entry);
    return Place{&source, &entry, nullptr, false, std::string(entry.path)};
  }
  if (has_shape(file, Shape::kPromptPack, ignored)) {
    const std::string profile = check_prompt_pack(read_json(file), file.string());
    if (const DataSource* source = prompt_pack_source(profile)) {
      const DataFile& entry = source->files.front();
      return Place{source, &entry, nullptr, false, std::string(entry.path)};
    }
  }
  return std::nullopt;
}

// Other bytes already there are kept aside.
void put(const fs::path& from, const fs::path& target) {
  std::error_code code;
  if (fs::exists(target, code) && fs::equivalent(from, target, code)) return;
  create_folders(target.parent_path());
  if (fs::exists(target)) {
    const fs::path aside = target.string() + ".replaced-" + sha256_file(target).substr(0, 8);
    fs::rename(target, aside, code);
    if (code) {
      throw Error(ErrorKind::kIo, fmt::format("{}: cannot be moved to {}: {}", target.string(),
                                              aside.filename().string(), code.message()));
    }
  }
  copy_file_atomic(from, target);
}

Imported import_place(const fs::path& file, const Place& place, const fs::path& data_dir) {
  Imported imported{.from = file};
  if (place.archive) {
    imported.paths = unpack_source(*place.source, file, data_dir);
    imported.note = "unpacked";
    return imported;
  }
  std::string reason;
  if (place.identity == nullptr && !has_shape(file, place.source->shape, reason)) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: named like {} but {}; nothing was imported",
                                                 file.string(), place.path, reason));
  }
  imported.paths = {place.path};
  imported.state = place.identity != nullptr ? FileState::kVerified : FileState::kUnknown;
  imported.note = place.identity != nullptr
                      ? std::string(place.identity->label)
                      : fmt::format("sha256 {} is of no known copy", sha256_file(file));
  const fs::path target = data_dir / place.path;
  std::error_code ignored;
  if (fs::exists(target, ignored) && sha256_file(target) == sha256_file(file)) {
    imported.note += ", already there";
    return imported;
  }
  put(file, target);
  return imported;
}

std::vector<Place> find_places(const fs::path& file) {
  std::vector<Place> places = places_by_hash(file);
  if (!places.empty()) return places;
  for (const auto find : {place_by_name, place_of_rows, place_by_shape}) {
    if (const auto place = find(file)) return {*place};
  }
  return {};
}

std::optional<Imported> import_checkout(const fs::path& folder, const fs::path& data_dir) {
  const auto pack = prompt_pack_of_checkout(folder);
  if (!pack) return std::nullopt;
  const std::string text = prompt_pack_text(*pack);
  const DataSource* source = prompt_pack_source(pack->at("profile").get<std::string>());
  if (source == nullptr) return std::nullopt;
  const DataFile& entry = source->files.front();
  create_folders((data_dir / entry.path).parent_path());
  write_file_atomic(data_dir / entry.path, text);
  const Identity* known = find_identity(entry, sha256_hex(text));
  return Imported{.from = folder,
                  .paths = {std::string(entry.path)},
                  .state = known != nullptr ? FileState::kVerified : FileState::kUnknown,
                  .note = known != nullptr ? std::string(known->label) : "built from a checkout"};
}

// False where the catalogue knows no place for the file.
bool import_file(const fs::path& file, const fs::path& data_dir, Import& import) {
  const std::vector<Place> places = find_places(file);
  for (const Place& place : places) import.files.push_back(import_place(file, place, data_dir));
  return !places.empty();
}

Import import_folder(const fs::path& folder, const fs::path& data_dir) {
  Import import;
  if (auto pack = import_checkout(folder, data_dir)) import.files.push_back(*std::move(pack));
  std::vector<fs::path> files;
  std::error_code code;
  fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, code);
  for (; !code && it != fs::recursive_directory_iterator(); it.increment(code)) {
    if (it->is_regular_file(code)) files.push_back(it->path());
  }
  if (code) throw Error(ErrorKind::kIo, fmt::format("{}: {}", folder.string(), code.message()));
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    if (!import_file(file, data_dir, import)) import.passed_over.push_back(file);
  }
  return import;
}

// Unpacked beside the data, recognised file by file like any folder.
std::optional<Import> import_bundle(const fs::path& file, const fs::path& data_dir) {
  if (!is_bundle(file)) return std::nullopt;
  const PassingFolder part(data_dir / ".bundle.part");
  unpack_bundle(file, part.path());
  Import import = import_folder(part.path(), data_dir);
  for (Imported& one : import.files) one.from = file;
  return import;
}

}  // namespace

Import import_path(const fs::path& path, const fs::path& data_dir) {
  std::error_code code;
  if (!fs::exists(path, code)) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: does not exist", path.string()));
  }
  Import import;
  if (fs::is_directory(path, code)) {
    import = import_folder(path, data_dir);
  } else if (auto bundled = import_bundle(path, data_dir)) {
    import = *std::move(bundled);
  } else {
    require_file(path);
    import_file(path, data_dir, import);
  }
  if (import.files.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: nothing here that the catalogue knows by hash, name or content; "
                            "`elastic-bench data list` names the files",
                            path.string()));
  }
  return import;
}

}  // namespace elastic::datasets
