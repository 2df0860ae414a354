#pragma once

// The data folder as a whole: the files of many sources, what is wrong with them, and the list as
// JSON.
//
//   for (const FileStatus& file : inspect_all(choose_sources({}), data_folder())) ...

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "datasets/sources.h"

namespace elastic::datasets {

/// find_sources() of each name; without names every source that is not optional.
std::vector<const DataSource*> choose_sources(std::span<const std::string> names);

/// inspect() of each source.
std::vector<FileStatus> inspect_all(std::span<const DataSource* const> sources,
                                    const std::filesystem::path& data_dir,
                                    std::int64_t hash_limit = INT64_MAX);

/// Why a file that was asked for cannot be used, and the command that mends it; empty: it can.
std::string fault_of(const FileStatus& file);

/// `data list --json`.
Json inventory_json(std::span<const FileStatus> files, const std::filesystem::path& data_dir);

}  // namespace elastic::datasets
