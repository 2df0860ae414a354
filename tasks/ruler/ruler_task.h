#pragma once

// RULER's 13 tasks as benchmark tasks (arXiv 2404.06654), by `make_ruler_task("vt")`: generated
// data, prompt = generated text + answer prefix, score = string match.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/suite.h"

namespace elastic::tasks {

/// In the order of the paper's list.
std::vector<std::string> ruler_task_names();

/// `name` as in ruler_task_names(); throws kInvalidArgument with suggestions.
std::unique_ptr<Task> make_ruler_task(std::string_view name);

inline constexpr Suite kRuler = {.name = "ruler",
                                 .title = "RULER",
                                 .profiles = "ruler",
                                 .profile = "ruler@gen-b",
                                 .demo_profile = "ruler@builtin",
                                 .tasks = ruler_task_names,
                                 .make = make_ruler_task};

}  // namespace elastic::tasks
