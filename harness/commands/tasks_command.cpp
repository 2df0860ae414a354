// `tasks`: the list, or one explained.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "datasets/folders.h"
#include "harness/commands/command.h"
#include "tasks/longbench/rows.h"
#include "tasks/longbench/sets.h"
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

// Which of the places LongBench's rows may lie in holds this set.
std::string rows_of(const tasks::TaskInfo& info, const std::filesystem::path& data_dir) {
  try {
    if (info.suite == "longbench_v2") {
      std::vector<std::string> files;
      for (const auto& file : tasks::find_v2_rows(data_dir)) files.push_back(file.string());
      return join(files, ", ");
    }
    const std::string suffix = info.suite == "longbench_e" ? "_e" : "";
    const auto source =
        tasks::find_longbench_rows(data_dir, info.name.substr(info.suite.size() + 1) + suffix);
    return source.member.empty() ? source.file.string()
                                 : fmt::format("{}, {}", source.file.string(), source.member);
  } catch (const Error& error) {
    return fmt::format("missing ({})", error.what());
  }
}

void explain_longbench(const tasks::TaskInfo& info, const std::filesystem::path& data_dir) {
  const auto line = [](std::string_view key, const std::string& value) {
    fmt::print("  {:<16} {}\n", key, value);
  };
  line("rows", rows_of(info, data_dir));
  if (info.suite == "longbench_v2") {
    line("aggregation",
         "accuracy, rounded to one decimal as Python does; by difficulty and length");
    return;
  }
  const tasks::LongbenchSet& set = tasks::longbench_set(info.name.substr(info.suite.size() + 1));
  line("chat template", set.chat ? "the checkpoint's" : "never");
  line("scored", set.first_line ? "the answer's first line, best of the accepted answers"
                                : "the answer, best of the accepted ones");
  line("aggregation", info.suite == "longbench_e"
                          ? "three length buckets, numpy's mean and rounding; elastic-paper: mean "
                            "over all samples; loom: sample-weighted mean of set scores"
                          : "100 * sum / n, rounded to two decimals as Python does; loom: "
                            "sample-weighted mean of set scores");
}

void explain(const std::string& name, const std::filesystem::path& data_dir) {
  const auto task = tasks::make_task(name);
  const tasks::TaskInfo& info = task->info();
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
  line("profile",
       fmt::format("{} (with --model demo: {})", tasks::default_profile(info.suite, false),
                   tasks::default_profile(info.suite, true)));
  line("data", join(info.data, ", "));
  line("licence", info.licence);
  if (info.suite.starts_with("longbench")) explain_longbench(info, data_dir);
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
