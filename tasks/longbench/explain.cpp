// explain_longbench() of longbench_task.h.

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "tasks/longbench/longbench_task.h"
#include "tasks/longbench/rows.h"
#include "tasks/longbench/sets.h"

namespace elastic::tasks {
namespace {

// "trec" of "longbench/trec".
std::string set_name(const TaskInfo& info) { return info.name.substr(info.suite.size() + 1); }

// Which of the places that rows may lie in holds this set.
std::string rows_of(const TaskInfo& info, const std::filesystem::path& data_dir) {
  try {
    if (info.suite == kLongbenchV2.name) {
      std::vector<std::string> files;
      for (const auto& file : find_v2_rows(data_dir)) files.push_back(file.string());
      return join(files, ", ");
    }
    const std::string suffix = info.suite == kLongbenchE.name ? "_e" : "";
    const auto source = find_longbench_rows(data_dir, set_name(info) + suffix);
    return source.member.empty() ? source.file.string()
                                 : fmt::format("{}, {}", source.file.string(), source.member);
  } catch (const Error& error) {
    return fmt::format("missing ({})", error.what());
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> explain_longbench(
    const TaskInfo& info, const std::filesystem::path& data_dir) {
  std::vector<std::pair<std::string, std::string>> lines = {{"rows", rows_of(info, data_dir)}};
  if (info.suite == kLongbenchV2.name) {
    lines.emplace_back("aggregation",
                       "accuracy, rounded to one decimal as Python does; by difficulty and length");
    return lines;
  }
  const LongbenchSet& set = longbench_set(set_name(info));
  lines.emplace_back("chat template", set.chat ? "the checkpoint's" : "never");
  lines.emplace_back("scored", set.first_line
                                   ? "the answer's first line, best of the accepted answers"
                                   : "the answer, best of the accepted ones");
  lines.emplace_back("aggregation",
                     info.suite == kLongbenchE.name
                         ? "three length buckets, numpy's mean and rounding; elastic-paper: mean "
                           "over all samples; loom: sample-weighted mean of set scores"
                         : "100 * sum / n, rounded to two decimals as Python does; loom: "
                           "sample-weighted mean of set scores");
  return lines;
}

}  // namespace elastic::tasks
