#pragma once

// The array of suites, and what tasks/suite.h does with it.

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/suite.h"

namespace elastic::tasks {

std::span<const Suite> suites();

/// Suite -> title, for reports.
std::map<std::string, std::string> suite_titles();

std::vector<std::string> task_names();
std::vector<std::string> resolve_tasks(std::string_view list);
std::unique_ptr<Task> make_task(std::string_view name);

}  // namespace elastic::tasks
