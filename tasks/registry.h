#pragma once

// The array of tasks. Lists of the command line ("ruler,longbench/trec") are resolved here; an
// unknown name is an error with suggestions.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace elastic::tasks {

std::vector<std::string> task_names();

/// A bare suite stands for all of its tasks, in the suite's order. Throws kInvalidArgument.
std::vector<std::string> resolve_tasks(std::string_view list);

std::unique_ptr<Task> make_task(std::string_view name);

/// The profile of a suite where the user names none: `--model demo` takes the built-in ones.
std::string default_profile(std::string_view suite, bool demo_model);

}  // namespace elastic::tasks
