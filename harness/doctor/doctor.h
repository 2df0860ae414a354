#pragma once

// What a run here would stand on: program, machine, engine, libraries, data.
//
//   for (const Finding& finding : examine(datasets::data_folder())) ...

#include <filesystem>
#include <string>
#include <vector>

namespace elastic::harness {

struct Finding {
  std::string key, value;
  std::string advice;  // what to do about it; empty where nothing is wrong
};

/// Looks, and changes nothing; what cannot be found out is left out or "unknown". Throws kIo where
/// a file of `data_folder` cannot be read.
std::vector<Finding> examine(const std::filesystem::path& data_folder);

}  // namespace elastic::harness
