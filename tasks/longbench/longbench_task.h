#pragma once

// LongBench's 21 sets, LongBench-E's 13 and LongBench-V2 as benchmark tasks.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace elastic::tasks {

/// In the order of the paper's table.
std::vector<std::string> longbench_task_names();
std::vector<std::string> longbench_e_task_names();

/// One task, named as its suite: the empty name.
std::vector<std::string> longbench_v2_task_names();

/// `name` as in the lists; throws kInvalidArgument with suggestions.
std::unique_ptr<Task> make_longbench_task(std::string_view name);
std::unique_ptr<Task> make_longbench_e_task(std::string_view name);
std::unique_ptr<Task> make_longbench_v2_task(std::string_view name);

}  // namespace elastic::tasks
