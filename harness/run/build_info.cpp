#include "harness/run/build_info.h"

#include <build_commit.h>  // written at build time by cmake/build_info.cmake
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <string_view>

#include "base/text.h"

namespace elastic::harness {
namespace {

constexpr std::string_view kCommit = ELASTIC_COMMIT, kDirty = ELASTIC_DIRTY;

#if defined(__clang__)
constexpr std::string_view kCompiler = "clang " __clang_version__;
#else
constexpr std::string_view kCompiler = "g++ " __VERSION__;
#endif

}  // namespace

std::map<std::string, std::string> program_facts() {
  std::map<std::string, std::string> facts{{"program", "elastic-bench " ELASTIC_VERSION},
                                           {"commit", std::string(kCommit)},
                                           {"dirty", std::string(kDirty)},
                                           {"build_type", ELASTIC_BUILD_TYPE},
                                           {"build_flags", ELASTIC_BUILD_FLAGS},
                                           {"compiler", std::string(kCompiler)}};
  std::erase_if(facts, [](const auto& fact) { return fact.second.empty(); });
  return facts;
}

std::string program_line() {
  constexpr std::size_t kShortHash = 10;
  return fmt::format("elastic-bench {}, commit {}{}, {}", ELASTIC_VERSION,
                     kCommit.empty() ? "unknown" : kCommit.substr(0, kShortHash),
                     kDirty == "yes" ? ", uncommitted changes" : "", ELASTIC_BUILD_TYPE);
}

std::string driver_version() {
  std::ifstream in("/proc/driver/nvidia/version");
  std::string line;
  std::getline(in, line);  // "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.82.07  Wed ..."
  for (const std::string_view word : split(line, ' ')) {
    const auto dots = std::count(word.begin(), word.end(), '.');
    if (dots > 0 && word.find_first_not_of("0123456789.") == std::string_view::npos) {
      return std::string(word);
    }
  }
  return "";
}

std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) return std::string(strip(line.substr(line.find(':') + 1)));
  }
  return "unknown";
}

std::map<std::string, std::string> machine_facts() {
  std::map<std::string, std::string> facts{{"cpu", cpu_name()}};
  if (std::string driver = driver_version(); !driver.empty()) facts["driver"] = std::move(driver);
  return facts;
}

}  // namespace elastic::harness
