#pragma once

// Files that the user already has, recognised and copied to their place in the data folder: by
// hash, else by name, else by what the bytes look like. A file that claims to be one of a single
// identity and is not is refused with both hashes.
//
//   const Import import = import_path("Downloads/dev-v2.0.json", data_folder());
//   for (const Imported& file : import.files) ...
//
// Recognised: every file of the catalogue under any name, its archives (wonderwords wheels,
// punkt_tab.zip), a checkout of RULER (prompt packs, its json/ folder), a whole data folder, a
// bundle. Bytes that belong to several places (word lists that two releases share) go to all.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/sources.h"

namespace elastic::datasets {

struct Imported {
  std::filesystem::path from;
  std::vector<std::string> paths;  // below the data folder
  FileState state = FileState::kVerified;
  std::string note;  // "already there", which identity, what is unknown
};

struct Import {
  std::vector<Imported> files;
  std::vector<std::filesystem::path> passed_over;  // of a folder: what the catalogue does not know
};

/// A file, or every recognisable file of a folder. Throws kCorrupt for wrong bytes,
/// kInvalidArgument for a file (or a folder without one) that nothing here reads, kNotFound.
Import import_path(const std::filesystem::path& path, const std::filesystem::path& data_dir);

/// Whether the file looks like `shape`; on no, `reason` says what is missing.
bool has_shape(const std::filesystem::path& file, Shape shape, std::string& reason);

}  // namespace elastic::datasets
