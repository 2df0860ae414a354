#include "datasets/bundle.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "datasets/archive.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

// A manifest of the whole catalogue has 20 KB.
constexpr std::int64_t kMaxManifest = std::int64_t{1} << 20;
constexpr std::int64_t kMaxBundle = std::int64_t{16} << 30;  // unpacked

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};

[[noreturn]] void fail(const fs::path& target, zip_t* archive) {
  throw Error(ErrorKind::kIo,
              fmt::format("{}: cannot write: {}", target.string(), zip_strerror(archive)));
}

void add(zip_t* archive, const fs::path& target, const std::string& name, zip_source_t* source) {
  if (source == nullptr ||
      zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8 | ZIP_FL_OVERWRITE) < 0) {
    fail(target, archive);
  }
}

bool is_whole(const FileStatus& file) {
  return file.state != FileState::kMissing && file.state != FileState::kMismatch;
}

}  // namespace

std::vector<std::string> write_bundle(std::span<const FileStatus> files, const fs::path& data_dir,
                                      const fs::path& target) {
  Json manifest = {{"schema_version", 1}, {"files", Json::array()}};
  std::vector<std::string> paths;
  for (const FileStatus& file : files) {
    if (!is_whole(file) || std::find(paths.begin(), paths.end(), file.path) != paths.end())
      continue;
    manifest["files"].push_back({{"path", file.path},
                                 {"bytes", file.bytes},
                                 {"sha256", sha256_file(data_dir / file.path)},
                                 {"licence", file.source->licence}});
    paths.push_back(file.path);
  }
  if (paths.empty()) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: none of these files is there", data_dir.string()));
  }
  int code = 0;
  std::unique_ptr<zip_t, Discard> archive(
      zip_open(target.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code));
  if (!archive) {
    throw Error(ErrorKind::kIo, fmt::format("{}: cannot be written", target.string()));
  }
  const std::string text = dump_pretty(manifest);
  add(archive.get(), target, std::string(kBundleManifest),
      zip_source_buffer(archive.get(), text.data(), text.size(), 0));
  for (const std::string& path : paths) {
    add(archive.get(), target, path,
        zip_source_file(archive.get(), (data_dir / path).c_str(), 0, -1));
  }
  zip_register_cancel_callback_with_state(
      archive.get(), [](zip_t*, void*) { return interrupted() ? 1 : 0; }, nullptr, nullptr);
  if (zip_close(archive.get()) != 0) {
    stop_if_interrupted();
    fail(target, archive.get());
  }
  (void)archive.release();  // closed
  return paths;
}

std::vector<BundleMember> parse_bundle_manifest(std::string_view text, const std::string& source) {
  const Json manifest = parse_json(text, source);
  const auto files = manifest.find("files");
  if (files == manifest.end() || !files->is_array()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: the manifest has no `files`", source));
  }
  std::vector<BundleMember> members;
  std::set<std::string> seen;
  for (const Json& entry : *files) {
    members.push_back({json_get<std::string>({entry, source}, "path"),
                       json_get<std::string>({entry, source}, "sha256")});
    if (!seen.insert(members.back().path).second) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: the manifest names `{}` twice", source, members.back().path));
    }
  }
  return members;
}

bool is_bundle(const fs::path& file) {
  if (file.extension() != ".zip") return false;
  const ZipArchive archive(file);
  const auto& members = archive.members();
  return std::find(members.begin(), members.end(), kBundleManifest) != members.end();
}

void unpack_bundle(const fs::path& file, const fs::path& folder) {
  const ZipArchive archive(file);
  std::int64_t left = kMaxBundle;
  for (const BundleMember& member :
       parse_bundle_manifest(archive.read(kBundleManifest, kMaxManifest), file.string())) {
    // Members outside the archive are refused.
    const std::string bytes = archive.read(member.path, std::min(left, kMaxZipMember));
    left -= static_cast<std::int64_t>(bytes.size());
    if (sha256_hex(bytes) != member.sha256) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: member `{}` is not what the manifest says; nothing was imported",
                              file.string(), member.path));
    }
    create_folders((folder / member.path).parent_path());
    write_file_atomic(folder / member.path, bytes);
  }
}

}  // namespace elastic::datasets
