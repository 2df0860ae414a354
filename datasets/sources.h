#pragma once

// The data folder against the catalogue: what is there, and bringing what is not.
//
//   for (const FileStatus& file : inspect(source, data_folder())) ...
//   fetch_source(source, data_folder(), {});

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/catalog.h"
#include "datasets/pull.h"

namespace elastic::datasets {

enum class FileState {
  kMissing,
  kVerified,  // bytes of a known identity
  kUnknown,   // readable as such, but of no known identity: an unknown corpus
  kPresent,   // of the right size, too large to hash in a listing
  kMismatch,  // other bytes than the only ones that belong there
};

/// "verified", "unknown corpus", ...
std::string_view to_string(FileState state);

struct FileStatus {
  const DataSource* source = nullptr;
  std::string path;  // below the data folder
  FileState state = FileState::kMissing;
  std::int64_t bytes = 0;
  std::string sha256;      // empty where it was not computed
  std::string_view label;  // of the identity
};

/// Bytes up to which a listing hashes files; verifying hashes all.
inline constexpr std::int64_t kHashInListing = std::int64_t{64} << 20;

/// The source's files, then other files that its name pattern accepts.
std::vector<FileStatus> inspect(const DataSource& source, const std::filesystem::path& data_dir,
                                std::int64_t hash_limit = INT64_MAX);

struct FetchOptions {
  std::string mirror;  // URL of a data folder on a server, tried before upstream; same hashes
  PullOptions pull;
};

/// Brings every file of the source that is not verified. Returns the paths written, below the data
/// folder. Throws as pull(); kNotFound with advice for a source that can only be imported.
std::vector<std::string> fetch_source(const DataSource& source,
                                      const std::filesystem::path& data_dir,
                                      const FetchOptions& options);

/// Members of an archive of `source`, checked against the catalogue and put in place. `mismatch` of
/// a pinned member is kCorrupt.
std::vector<std::string> unpack_source(const DataSource& source,
                                       const std::filesystem::path& archive,
                                       const std::filesystem::path& data_dir);

/// The identity of these bytes for a file, or null.
const Identity* find_identity(const DataFile& file, std::string_view sha256);

}  // namespace elastic::datasets
