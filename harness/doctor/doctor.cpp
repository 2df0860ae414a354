#include "harness/doctor/doctor.h"

#include <link.h>

#include <algorithm>
#include <fstream>
#include <string_view>
#include <thread>

#include <fmt/format.h>
#include <CLI/Version.hpp>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "datasets/catalog.h"
#include "datasets/folders.h"
#include "datasets/sources.h"
#include "engine/api/make_generator.h"
#include "harness/run/build_info.h"
#include "harness/run/processes.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

// Files up to this size are hashed here; `data verify` hashes all.
constexpr std::int64_t kHashedBytes = std::int64_t{16} << 20;

// Bytes of one /proc/meminfo entry, which counts KiB; 0 where unknown.
std::int64_t memory_bytes(std::string_view entry) {
  std::ifstream in("/proc/meminfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(entry)) continue;
    const std::string_view rest = strip(std::string_view(line).substr(entry.size() + 1));
    return parse_int(rest.substr(0, rest.find(' '))).value_or(0) * 1024;
  }
  return 0;
}

void add_program(std::vector<Finding>& findings) {
  findings.push_back({"program", program_line(), ""});
  findings.push_back({"compiler", fmt::format("{} (C++ {})", __VERSION__, __cplusplus), ""});
  findings.push_back(
      {"header libraries",
       fmt::format("fmt {}.{}.{}, nlohmann_json {}.{}.{}, CLI11 {}", FMT_VERSION / 10000,
                   FMT_VERSION / 100 % 100, FMT_VERSION % 100, NLOHMANN_JSON_VERSION_MAJOR,
                   NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH, CLI11_VERSION),
       ""});
}

// The shared libraries this process runs on, as the loader resolved them; the language runtime
// apart.
void add_libraries(std::vector<Finding>& findings) {
  std::vector<std::string> paths;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        if (*info->dlpi_name != '\0') {
          static_cast<std::vector<std::string>*>(out)->emplace_back(info->dlpi_name);
        }
        return 0;
      },
      &paths);
  constexpr std::string_view kWanted[] = {"libtorch_cpu.", "libc10.",   "libcudart",  "libcupti",
                                          "libcurl",       "libcrypto", "libpcre2",   "libutf8proc",
                                          "libsentencep",  "libzip",    "libarchive", "libzstd",
                                          "libsimdjson"};
  for (const std::string_view wanted : kWanted) {
    for (const std::string& path : paths) {
      if (!fs::path(path).filename().string().starts_with(wanted)) continue;
      std::error_code ignored;
      const fs::path real = fs::canonical(path, ignored);
      findings.push_back({"library", real.empty() ? path : real.string(), ""});
    }
  }
}

void add_machine(std::vector<Finding>& findings) {
  constexpr std::int64_t kSmallMemory = std::int64_t{4} << 30;
  const std::int64_t available = memory_bytes("MemAvailable");
  findings.push_back(
      {"cpu", fmt::format("{}, {} threads", cpu_name(), std::thread::hardware_concurrency()), ""});
  findings.push_back({"memory",
                      fmt::format("{} free of {}", format_bytes(available),
                                  format_bytes(memory_bytes("MemTotal"))),
                      available > 0 && available < kSmallMemory
                          ? "less than 4 GiB free: keep lengths short (plan predicts the need)"
                          : ""});
  std::error_code error;
  const fs::space_info disk = fs::space(fs::current_path(), error);
  if (!error) {
    findings.push_back(
        {"disk",
         fmt::format("{} free under {}", format_bytes(static_cast<std::int64_t>(disk.available)),
                     fs::current_path().string()),
         disk.available < (1ULL << 30) ? "less than 1 GiB free: choose an --output with room"
                                       : ""});
  }
}

void add_launcher(std::vector<Finding>& findings) {
  try {
    findings.push_back({"launcher", describe_launcher(), ""});
  } catch (const Error& error) {
    findings.push_back({"launcher", "unknown", error.what()});
  }
}

void add_engine(std::vector<Finding>& findings) {
  for (const std::string& entry : engine::describe_engine()) {
    const std::size_t colon = std::min(entry.find(": "), entry.size());
    findings.push_back({entry.substr(0, colon),
                        colon < entry.size() ? entry.substr(colon + 2) : std::string(), ""});
  }
  if (engine::list_modes().empty()) {
    findings.back().advice =
        "no model can run: build preset `default` after scripts/setup.sh has fetched LibTorch";
  }
  const std::string driver = driver_version();
  const auto accelerator = std::find_if(findings.begin(), findings.end(), [](const Finding& f) {
    return f.key == "accelerator" && f.value.starts_with("none");
  });
  if (!driver.empty() && accelerator != findings.end()) {
    accelerator->advice = "a driver is loaded, so a GPU could run: see the reason above";
  }
  findings.push_back({"gpu driver", driver.empty() ? "none: models run on the CPU" : driver, ""});
}

// Absent data is no fault: the built-in profiles run without it. Wrong bytes are.
Finding describe_source(const datasets::DataSource& source, const fs::path& folder) {
  std::int64_t there = 0, wrong = 0, files = 0;
  for (const datasets::FileStatus& file : datasets::inspect(source, folder, kHashedBytes)) {
    ++files;
    there += file.state != datasets::FileState::kMissing;
    wrong += file.state == datasets::FileState::kMismatch;
  }
  const std::string name(source.name);
  if (wrong > 0) {
    return {
        "data",
        fmt::format("{}: {} of {} files have other bytes than they should", name, wrong, files),
        fmt::format("elastic-bench data verify {0}; data fetch {0} brings the right ones", name)};
  }
  if (there == 0) return {"data", fmt::format("{}: absent ({})", name, source.summary), ""};
  return {"data", fmt::format("{}: {} of {} files", name, there, files),
          there < files ? fmt::format("elastic-bench data fetch {}", name) : ""};
}

void add_data(std::vector<Finding>& findings, const fs::path& folder) {
  findings.push_back({"data folder", folder.string(), ""});
  for (const datasets::DataSource& source : datasets::catalog()) {
    const bool fetched = !source.files.empty();  // not the user's own rows
    if (fetched && !source.optional) findings.push_back(describe_source(source, folder));
  }
  findings.push_back(
      {"absent data",
       "no fault: only the profiles that need it stop, with exit code 3; the @builtin profiles, "
       "which --model demo takes, need none. `elastic-bench data fetch NAME` brings it",
       ""});
  findings.push_back({"cache folder", datasets::cache_folder().string(), ""});
}

}  // namespace

std::vector<Finding> examine(const fs::path& data_folder) {
  std::vector<Finding> findings;
  add_program(findings);
  add_machine(findings);
  add_launcher(findings);
  add_engine(findings);
  add_libraries(findings);
  add_data(findings, data_folder);
  return findings;
}

}  // namespace elastic::harness
