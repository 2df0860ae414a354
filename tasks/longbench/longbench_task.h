#pragma once

// LongBench's 21 sets, LongBench-E's 13 and LongBench-V2 as benchmark tasks.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tasks/suite.h"

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

/// Where the rows of a set lie, and how its scores are made and aggregated.
std::vector<std::pair<std::string, std::string>> explain_longbench(
    const TaskInfo& info, const std::filesystem::path& data_dir);

inline constexpr Suite kLongbench = {.name = "longbench",
                                     .title = "LongBench",
                                     .profiles = "longbench",
                                     .profile = "longbench-official",
                                     .demo_profile = "longbench@builtin",
                                     .tasks = longbench_task_names,
                                     .make = make_longbench_task,
                                     .explain = explain_longbench};
inline constexpr Suite kLongbenchE = {.name = "longbench_e",
                                      .title = "LongBench-E",
                                      .profiles = "longbench-e",
                                      .profile = "longbench-e-official",
                                      .demo_profile = "longbench-e@builtin",
                                      .tasks = longbench_e_task_names,
                                      .make = make_longbench_e_task,
                                      .explain = explain_longbench};
inline constexpr Suite kLongbenchV2 = {.name = "longbench_v2",
                                       .title = "LongBench-V2",
                                       .profiles = "longbench-v2",
                                       .profile = "longbench-v2-official",
                                       .demo_profile = "longbench-v2@builtin",
                                       .tasks = longbench_v2_task_names,
                                       .make = make_longbench_v2_task,
                                       .explain = explain_longbench};

}  // namespace elastic::tasks
