#pragma once

// One archive for a machine without a network: the data files that are here, with a manifest of
// their hashes and licences.
//
//   write_bundle(files, data_dir, "bundle.zip");       // data bundle
//   unpack_bundle("bundle.zip", folder);               // what data import does with one

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "datasets/sources.h"

namespace elastic::datasets {

inline constexpr std::string_view kBundleManifest = "elastic-bench-data.json";

/// Files that are missing or of wrong bytes are left out. Returns the paths in the archive; throws
/// kNotFound where there is nothing to put in, kIo.
std::vector<std::string> write_bundle(std::span<const FileStatus> files,
                                      const std::filesystem::path& data_dir,
                                      const std::filesystem::path& target);

/// False where the file is no such archive. Throws kCorrupt where a member is not what the manifest
/// says; nothing is written outside `folder`.
bool unpack_bundle(const std::filesystem::path& file, const std::filesystem::path& folder);

}  // namespace elastic::datasets
