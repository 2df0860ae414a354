#pragma once

// The tasks of an experiment as far as their data are on this machine.

#include <filesystem>
#include <string>
#include <vector>

namespace elastic::harness {

/// Those of `wanted` whose rows are there, sets of LongBench standing in for those of LongBench-E
/// that are not; what stands in and what is left out is said on standard error. `data_dir` as a
/// flag gives it. Throws kNotFound, as the first missing task does, where nothing is there. RULER's
/// tasks are generated and always among them.
std::vector<std::string> tasks_with_data(const std::vector<std::string>& wanted,
                                         const std::filesystem::path& data_dir);

}  // namespace elastic::harness
