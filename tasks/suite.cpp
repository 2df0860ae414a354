#include "tasks/suite.h"

#include <algorithm>

#include "base/error.h"
#include "base/registry.h"
#include "base/text.h"

namespace elastic::tasks {
namespace {

std::string full_name(const Suite& suite, const std::string& task) {
  return task.empty() ? std::string(suite.name) : std::string(suite.name) + "/" + task;
}

std::vector<std::string> known_names(std::span<const Suite> suites) {
  std::vector<std::string> names;
  for (const Suite& suite : suites) names.emplace_back(suite.name);
  for (std::string& name : task_names(suites)) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

}  // namespace

std::vector<std::string> task_names(std::span<const Suite> suites) {
  std::vector<std::string> names;
  for (const Suite& suite : suites) {
    for (const std::string& task : suite.tasks()) names.push_back(full_name(suite, task));
  }
  return names;
}

std::vector<std::string> resolve_tasks(std::string_view list, std::span<const Suite> suites) {
  std::vector<std::string> resolved;
  const std::vector<std::string> known = task_names(suites);
  for (const std::string& entry : split_list(list)) {
    std::vector<std::string> names;
    std::copy_if(
        known.begin(), known.end(), std::back_inserter(names),
        [&](const std::string& name) { return name == entry || name.starts_with(entry + "/"); });
    if (names.empty()) throw_unknown_name("task", entry, known_names(suites));
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

std::unique_ptr<Task> make_task(std::string_view name, std::span<const Suite> suites) {
  for (const Suite& suite : suites) {
    for (const std::string& task : suite.tasks()) {
      if (full_name(suite, task) == name) return suite.make(task);
    }
  }
  throw_unknown_name("task", name, task_names(suites));
}

const Suite& find_suite(std::string_view name, std::span<const Suite> suites) {
  return find_entry(suites, "suite", name);
}

const Suite* suite_of_profile(std::string_view profile, std::span<const Suite> suites) {
  const Suite* found = nullptr;  // the longest beginning counts: longbench-e is not longbench's
  for (const Suite& suite : suites) {
    const std::string_view start = suite.profiles;
    if (!profile.starts_with(start) || profile.size() == start.size()) continue;
    const char next = profile[start.size()];
    if ((next == '@' || next == '-') &&
        (found == nullptr || found->profiles.size() < start.size())) {
      found = &suite;
    }
  }
  return found;
}

}  // namespace elastic::tasks
