// `doctor`: versions, devices, free memory, libraries, data state, and one line of advice per
// fault.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "datasets/folders.h"
#include "harness/commands/command.h"
#include "harness/doctor/doctor.h"

namespace elastic::harness {
namespace {

void print(const std::vector<Finding>& findings) {
  std::size_t faults = 0;
  for (const Finding& finding : findings) {
    fmt::print("{:<18}{}\n", finding.key, finding.value);
    if (finding.advice.empty()) continue;
    ++faults;
    fmt::print("{:<18}-> {}\n", "", finding.advice);
  }
  fmt::print("{}\n", faults == 0 ? "no faults found" : fmt::format("{} to look at", faults));
}

}  // namespace

void add_doctor(CLI::App& sub, int& exit_code) {
  auto data_dir = std::make_shared<std::string>();
  sub.add_option("--data-dir", *data_dir, "Data folder to look at");
  sub.callback([&exit_code, data_dir] {
    print(examine(datasets::data_folder(*data_dir)));
    exit_code = kExitComplete;
  });
}

}  // namespace elastic::harness
