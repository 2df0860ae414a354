// `tasks`: the list, or one explained.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "base/text.h"
#include "datasets/folders.h"
#include "harness/commands/command.h"
#include "tasks/registry.h"

namespace elastic::harness {
namespace {

void list_tasks() {
  fmt::print("{:<26} {:<18} {:<20} {:>6}  {}\n", "task", "category", "metric", "answer", "summary");
  for (const std::string& name : tasks::task_names()) {
    const auto task = tasks::make_task(name);
    const tasks::TaskInfo& info = task->info();
    fmt::print("{:<26} {:<18} {:<20} {:>6}  {}\n", info.name, info.category, info.metric,
               info.max_new_tokens, info.summary);
  }
}

void explain(const std::string& name, const std::filesystem::path& data_dir) {
  const auto task = tasks::make_task(name);
  const tasks::TaskInfo& info = task->info();
  const tasks::Suite& suite = tasks::find_suite(info.suite, tasks::suites());
  fmt::print("{}\n  {}\n", info.name, info.summary);
  const auto line = [](std::string_view key, const std::string& value) {
    fmt::print("  {:<16} {}\n", key, value.empty() ? "-" : value);
  };
  line("suite", info.suite);
  line("category", info.category);
  line("paper", info.paper);
  line("metric", info.metric);
  line("answer budget", fmt::format("{} tokens", info.max_new_tokens));
  line("lengths", info.has_lengths
                      ? "any, by --lengths (default 4k..128k within the model's window)"
                      : "a fixed set");
  line("samples",
       info.default_limit > 0
           ? fmt::format("{} per length unless --limit says otherwise", info.default_limit)
           : "all unless --limit says otherwise");
  line("profile", fmt::format("{} (with --model demo: {})", suite.profile, suite.demo_profile));
  line("data", join(info.data, ", "));
  line("licence", info.licence);
  if (suite.explain != nullptr) {
    for (const auto& [key, value] : suite.explain(info, data_dir)) line(key, value);
  }
  fmt::print("  see its prompt:  elastic-bench preview --task {} --model demo\n", info.name);
}

}  // namespace

void add_tasks(CLI::App& sub, int& exit_code) {
  const auto name = std::make_shared<std::string>();
  const auto data_dir = std::make_shared<std::string>();
  sub.add_option("name", *name, "A task or a suite; none lists all");
  sub.add_option("--data-dir", *data_dir, "Where to look for its rows");
  sub.callback([&exit_code, name, data_dir] {
    if (name->empty()) {
      list_tasks();
    } else {
      for (const std::string& task : tasks::resolve_tasks(*name))
        explain(task, datasets::data_folder(*data_dir));
    }
    exit_code = kExitComplete;
  });
}

}  // namespace elastic::harness
