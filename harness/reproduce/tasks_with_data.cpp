#include "harness/reproduce/tasks_with_data.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "datasets/folders.h"
#include "tasks/registry.h"

namespace elastic::harness {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kGenerated = "ruler/", kE = "longbench_e/", kPlain = "longbench/";

// Whether the task's data are there. RULER's are generated, and its own error says what lacks.
bool has_data(const std::string& task, const fs::path& data_dir, std::optional<Error>& missing) {
  if (task.starts_with(kGenerated)) return true;
  try {
    tasks::make_task(task)->count({.profile = {}, .limit = 1, .data_dir = data_dir});
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    if (!missing) missing = error;
    return false;
  }
}

}  // namespace

std::vector<std::string> tasks_with_data(const std::vector<std::string>& wanted,
                                         const fs::path& given) {
  const fs::path data_dir = datasets::data_folder(given);
  std::vector<std::string> there, stand_ins, absent;
  std::optional<Error> missing;
  for (const std::string& task : wanted) {
    if (has_data(task, data_dir, missing)) {
      there.push_back(task);
      continue;
    }
    const std::string plain =
        task.starts_with(kE) ? std::string(kPlain) + task.substr(kE.size()) : task;
    if (plain != task && has_data(plain, data_dir, missing)) {
      there.push_back(plain);
      stand_ins.push_back(plain);
    } else {
      absent.push_back(task);
    }
  }
  if (there.empty() && missing) throw *missing;
  if (!stand_ins.empty()) {
    log_warning("no rows of LongBench-E: these stand in, and no score is comparable: " +
                join(stand_ins, ", "));
  }
  if (!absent.empty()) {
    log_warning(fmt::format("left out, for their data are not here (`data fetch`): {}",
                            join(absent, ", ")));
  }
  return there;
}

}  // namespace elastic::harness
