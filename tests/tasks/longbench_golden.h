#pragma once

// Rows of the stored LongBench expectations, and what tests over them share.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tasks/longbench/scorer.h"
#include "tests/testing/cases.h"
#include "tests/testing/folders.h"

namespace elastic::testing {

/// Where expected values come from: the golden folder outside, or tests/data/longbench, which is of
/// our own making.
enum class Rows { kGolden, kOwn };

inline std::filesystem::path longbench_file(std::string_view name, Rows from) {
  return (from == Rows::kOwn ? fixture("longbench") : golden_folder("longbench")) / name;
}

/// Lines of <name>; none where a golden folder has no such file.
inline std::vector<Json> longbench_rows(std::string_view name, Rows from) {
  const std::filesystem::path file = longbench_file(name, from);
  std::vector<Json> rows;
  if (from == Rows::kGolden && !std::filesystem::exists(file)) return rows;
  const std::string text = read_file(file);
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) rows.push_back(parse_json(line, file.string()));
  }
  return rows;
}

inline double hex_double(const Json& row, const char* key) {
  return std::strtod(row.at(key).get<std::string>().c_str(), nullptr);
}

/// expect_all_ran() over the lines of one file; one of ours is never empty.
inline void expect_every_line(std::size_t ran, std::string_view name, Rows from,
                              std::size_t passed_over = 0) {
  if (from == Rows::kOwn) {
    EXPECT_GT(ran + passed_over, 0U) << name;
  }
  expect_all_ran(ran, stored_lines(longbench_file(name, from)), passed_over);
}

/// The segmenter over jieba's files, null where they are not there.
inline std::shared_ptr<const tasks::ChineseSegmenter> segmenter() {
  try {
    return tasks::shared_segmenter(data_path("."));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    std::cout << "without Chinese segmentation: " << error.what() << "\n";
    return nullptr;
  }
}

}  // namespace elastic::testing
