#pragma once

// What this program is and what it runs on, for run.json, results of `score` and `doctor`.
//
//   environment.merge(program_facts());   // program, commit, dirty, build_type, build_flags,
//   compiler

#include <map>
#include <string>

namespace elastic::harness {

/// Of the build; unknown ones are left out.
std::map<std::string, std::string> program_facts();

/// "elastic-bench 0.1.0, commit 80fc4b3, uncommitted changes, Release".
std::string program_line();

/// Of the machine: cpu, driver (where an NVIDIA one is loaded).
std::map<std::string, std::string> machine_facts();

/// Version of the NVIDIA kernel driver, "580.82.07"; empty where none is loaded.
std::string driver_version();

/// Model name of the first processor; "unknown" where /proc/cpuinfo has none.
std::string cpu_name();

}  // namespace elastic::harness
