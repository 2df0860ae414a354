#pragma once

// How many stored files ran, by method, and how that is said.

#include <fmt/format.h>

#include <map>
#include <string>

namespace elastic::testing {

using Counts = std::map<std::string, int>;  // method -> files

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

}  // namespace elastic::testing
