#pragma once

// Where LongBench's rows lie in a data folder, and reading them. First of: the published archive
// (members read straight from it), files of rows, rows derived from other collections.
//
//   const RowSource source = find_longbench_rows(data_dir, "hotpotqa");
//   for (const Json& row : read_longbench_rows(source, limit)) ...

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace elastic::tasks {

struct RowSource {
  std::filesystem::path file;  // longbench/data.zip, or a .jsonl file
  std::string member;          // of the archive; "" otherwise
  std::string name;            // below the data folder: "longbench/data.zip"
};

/// `set` with its "_e" for LongBench-E. Throws kNotFound naming what is missing and how to get it.
RowSource find_longbench_rows(const std::filesystem::path& data_dir, std::string_view set);

/// How many rows read_longbench_rows() gives; only line ends are looked at.
std::int64_t count_longbench_rows(const RowSource& source, std::int64_t limit);

/// The official fields, checked. `limit` 0 = all. Throws kCorrupt naming file, line and key.
std::vector<Json> read_longbench_rows(const RowSource& source, std::int64_t limit);

/// The files of LongBench-V2 rows: data.json, else every .jsonl of
/// the folder, by name. Throws kNotFound.
std::vector<std::filesystem::path> find_v2_rows(const std::filesystem::path& data_dir);

}  // namespace elastic::tasks
