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

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tasks/longbench/scorer.h"
#include "tests/testing/folders.h"

namespace elastic::testing {

/// Where expected values come from: the golden folder outside, or tests/data/longbench, which is of
/// our own making.
enum class Rows { kGolden, kOwn };

/// Lines of <name>; none where it is not there.
inline std::vector<Json> longbench_rows(std::string_view name, Rows from) {
  const std::filesystem::path outside = golden_folder("longbench");
  const std::filesystem::path file = (from == Rows::kOwn ? fixture("longbench") : outside) / name;
  std::vector<Json> rows;
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return rows;
  const std::string text = read_file(file);
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) rows.push_back(parse_json(line, file.string()));
  }
  return rows;
}

inline double hex_double(const Json& row, const char* key) {
  return std::strtod(row.at(key).get<std::string>().c_str(), nullptr);
}

/// The segmenter over jieba's files, null where they are not there.
inline std::shared_ptr<const tasks::ChineseSegmenter> segmenter() {
  try {
    return tasks::shared_segmenter(data_path("."));
  } catch (const std::exception& error) {
    std::cout << "without Chinese segmentation: " << error.what() << "\n";
    return nullptr;
  }
}

/// "<n> cases ran", as every suite over stored expectations prints.
inline void say_cases(std::size_t cases) { std::cout << cases << " cases ran\n"; }

}  // namespace elastic::testing
