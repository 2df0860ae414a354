#pragma once

// One archive for a machine without a network: the data files that are here, with a manifest of
// their hashes and licences.
//
//   write_bundle(files, data_dir, "bundle.zip");       // data bundle
//   if (is_bundle(file)) unpack_bundle(file, folder);  // what data import does with one

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/sources.h"

namespace elastic::datasets {

inline constexpr std::string_view kBundleManifest = "elastic-bench-data.json";

/// Files that are missing or of wrong bytes are left out. Returns the paths in the archive; throws
/// kNotFound where there is nothing to put in, kIo.
std::vector<std::string> write_bundle(std::span<const FileStatus> files,
                                      const std::filesystem::path& data_dir,
                                      const std::filesystem::path& target);

struct BundleMember {
  std::string path;  // in the archive and below the data folder
  std::string sha256;
};

/// The members that a manifest names, each once. Throws kCorrupt naming `source` and key.
std::vector<BundleMember> parse_bundle_manifest(std::string_view text, const std::string& source);

/// A .zip with a manifest. Throws as ZipArchive.
bool is_bundle(const std::filesystem::path& file);

/// Throws kCorrupt where a member is not what the manifest says, and where the manifest names one
/// twice or more than 16 GiB in all; nothing is written outside `folder`.
void unpack_bundle(const std::filesystem::path& file, const std::filesystem::path& folder);

}  // namespace elastic::datasets
