#include "tasks/registry.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/registry.h"
#include "base/text.h"
#include "tasks/longbench/longbench_task.h"
#include "tasks/ruler/ruler_task.h"

namespace elastic::tasks {
namespace {

// A suite brings its tasks and its profiles; one line each.
struct Suite {
  std::string_view name;
  std::vector<std::string> (*tasks)();
  std::unique_ptr<Task> (*make)(std::string_view task);
  std::string_view profile, demo_profile;
};

constexpr std::array<Suite, 4> kSuites = {{
    {"ruler", ruler_task_names, make_ruler_task, "ruler@gen-b", "ruler@builtin"},
    {"longbench", longbench_task_names, make_longbench_task, "longbench-official",
     "longbench@builtin"},
    {"longbench_e", longbench_e_task_names, make_longbench_e_task, "longbench-e-official",
     "longbench-e@builtin"},
    {"longbench_v2", longbench_v2_task_names, make_longbench_v2_task, "longbench-v2-official",
     "longbench-v2@builtin"},
}};

// The only task of a suite may be called as the suite.
std::string full_name(const Suite& suite, const std::string& task) {
  return task.empty() ? std::string(suite.name) : std::string(suite.name) + "/" + task;
}

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  for (const Suite& suite : kSuites) names.emplace_back(suite.name);
  for (std::string& name : task_names()) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

}  // namespace

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const Suite& suite : kSuites) {
    for (const std::string& task : suite.tasks()) names.push_back(full_name(suite, task));
  }
  return names;
}

std::vector<std::string> resolve_tasks(std::string_view list) {
  std::vector<std::string> resolved;
  const std::vector<std::string> known = task_names();
  for (const std::string& entry : split_list(list)) {
    std::vector<std::string> names;
    std::copy_if(
        known.begin(), known.end(), std::back_inserter(names),
        [&](const std::string& name) { return name == entry || name.starts_with(entry + "/"); });
    if (names.empty()) throw_unknown_name("task", entry, known_names());
    for (std::string& name : names) {
      if (std::find(resolved.begin(), resolved.end(), name) == resolved.end()) {
        resolved.push_back(std::move(name));
      }
    }
  }
  if (resolved.empty()) {
    throw Error(ErrorKind::kInvalidArgument, "no task given; `elastic-bench tasks` lists them");
  }
  return resolved;
}

std::unique_ptr<Task> make_task(std::string_view name) {
  for (const Suite& suite : kSuites) {
    for (const std::string& task : suite.tasks()) {
      if (full_name(suite, task) == name) return suite.make(task);
    }
  }
  throw_unknown_name("task", name, task_names());
}

std::string default_profile(std::string_view suite, bool demo_model) {
  const Suite& entry = find_entry(std::span<const Suite>(kSuites), "suite", suite);
  return std::string(demo_model ? entry.demo_profile : entry.profile);
}

}  // namespace elastic::tasks
