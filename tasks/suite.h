#pragma once

// A suite brings its tasks and its profiles. A folder of tasks defines one or more, and
// tasks/registry.cpp lists them, a line each; nothing outside the folder knows a suite by name.
//
//   for (const std::string& name : resolve_tasks("ruler,longbench/trec", suites())) {
//     const std::unique_ptr<Task> task = make_task(name, suites());

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tasks/task.h"

namespace elastic::tasks {

struct Suite {
  std::string_view name;   // "longbench_e"
  std::string_view title;  // "LongBench-E"
  // What names of its profiles begin with, before `@` or `-`: "longbench-e".
  std::string_view profiles;
  std::string_view profile, demo_profile;  // where the user names none; that of `--model demo`
  /// In the paper's order; the empty name is a task that is called as its suite.
  std::vector<std::string> (*tasks)();
  std::unique_ptr<Task> (*make)(std::string_view task);
  /// What `tasks NAME` says of a task beyond its info: {"rows", "..."}; null for nothing.
  std::vector<std::pair<std::string, std::string>> (*explain)(
      const TaskInfo& info, const std::filesystem::path& data_dir) = nullptr;
};

/// Full names, "ruler/vt".
std::vector<std::string> task_names(std::span<const Suite> suites);

/// A bare suite stands for all of its tasks, in the suite's order. Throws kInvalidArgument with
/// suggestions for an unknown name.
std::vector<std::string> resolve_tasks(std::string_view list, std::span<const Suite> suites);

std::unique_ptr<Task> make_task(std::string_view name, std::span<const Suite> suites);

/// Throws kInvalidArgument.
const Suite& find_suite(std::string_view name, std::span<const Suite> suites);

/// The suite that a profile's name is of; null where it is none's.
const Suite* suite_of_profile(std::string_view profile, std::span<const Suite> suites);

}  // namespace elastic::tasks
