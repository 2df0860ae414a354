#pragma once

// Which stored files run: those that a folder's manifest.json lists under methods that a suite
// checks, whichever they are and however many.
//
//   const Checks kChecks = {{"oracle", check_oracle}};
//   TEST(Golden_attention2, OracleSteps) { check_golden("attention2", kChecks); }

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <string_view>

#include "base/json.h"
#include "engine/io/safetensors.h"
#include "tests/testing/folders.h"

namespace elastic::testing {

using Counts = std::map<std::string, int>;  // method -> files, or cases in them

inline int total(const Counts& counts) {
  int sum = 0;
  for (const auto& [method, count] : counts) sum += count;
  return sum;
}

/// "; in suites of their own: 3 moba", or nothing.
inline std::string listed(const char* what, const Counts& counts) {
  std::string text;
  for (const auto& [method, count] : counts) {
    text +=
        fmt::format("{}{} {}", text.empty() ? fmt::format("; {}: ", what) : ", ", count, method);
  }
  return text;
}

/// How many cases of the file it ran; `entry` is the manifest's.
using Check = int (*)(const engine::SafetensorsFile& file, const Json& entry);
using Checks = std::map<std::string, Check, std::less<>>;  // by method

/// Runs every file that the manifest lists under a method of `checks`; each has to hold a case.
inline Counts check_listed(const std::filesystem::path& folder, const Checks& checks) {
  Counts ran;
  const Json manifest = read_json(folder / "manifest.json");
  for (const Json& entry : manifest.at("files")) {
    const auto check = checks.find(entry.at("method").get<std::string>());
    if (check == checks.end()) continue;
    const std::string name = entry.at("file").get<std::string>();
    const int cases = check->second(engine::SafetensorsFile(folder / name), entry);
    EXPECT_GT(cases, 0) << name;
    ran[check->first] += cases;
  }
  return ran;
}

/// The same of a golden folder; skipped where it is absent or lists none of the methods.
inline void check_golden(std::string_view name, const Checks& checks) {
  const std::filesystem::path folder = golden_folder(name);
  if (folder.empty()) GTEST_SKIP() << "golden folder absent: " << name;
  const Counts ran = check_listed(folder, checks);
  if (ran.empty()) GTEST_SKIP() << "none of these methods in the manifest of " << name;
  std::cout << total(ran) << " cases ran" << listed("of them", ran) << "\n";
}

}  // namespace elastic::testing
