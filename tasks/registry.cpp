#include "tasks/registry.h"

#include "tasks/longbench/longbench_task.h"
#include "tasks/ruler/ruler_task.h"

namespace elastic::tasks {
namespace {

const Suite kSuites[] = {
    kRuler,
    kLongbench,
    kLongbenchE,
    kLongbenchV2,
};

}  // namespace

std::span<const Suite> suites() { return kSuites; }

std::map<std::string, std::string> suite_titles() {
  std::map<std::string, std::string> titles;
  for (const Suite& suite : kSuites) titles.emplace(suite.name, suite.title);
  return titles;
}

std::vector<std::string> task_names() { return task_names(kSuites); }

std::vector<std::string> resolve_tasks(std::string_view list) {
  return resolve_tasks(list, kSuites);
}

std::unique_ptr<Task> make_task(std::string_view name) { return make_task(name, kSuites); }

}  // namespace elastic::tasks
