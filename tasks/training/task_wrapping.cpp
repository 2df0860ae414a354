#include "tasks/training/task_wrapping.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/unicode.h"
#include "tasks/longbench/profile.h"

namespace elastic::tasks {
namespace {

// The sentences in front of the first line end.
std::string opening(std::string_view prompt) {
  return std::string(strip_white_space(prompt.substr(0, prompt.find('\n'))));
}

// The last paragraph, its two line ends included.
std::string closing(std::string_view prompt) {
  return std::string(prompt.substr(std::min(prompt.rfind("\n\n"), prompt.size())));
}

}  // namespace

std::map<std::string, TaskWrapping> task_wrappings(std::string_view profile,
                                                   const std::filesystem::path& data_dir) {
  if (profile == kBuiltinPrompts) {
    return {{"Summarization", {"Here is a text. Summarise it in one page.", "\n\nSummary:"}},
            {"Code", {"Continue this program with its next line.", ""}}};
  }
  const auto official = longbench_profile(profile, data_dir);
  const auto prompt = [&](const char* set) -> const std::string& {
    const auto it = official->prompts.find(set);
    if (it == official->prompts.end()) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("profile {}: no prompt for the set {}", profile, set));
    }
    return it->second;
  };
  const TaskWrapping summary{opening(prompt("multi_news")), closing(prompt("multi_news"))};
  const TaskWrapping code{opening(prompt("lcc")), ""};
  for (const std::string& part : {summary.before, summary.behind, code.before}) {
    if (part.find('{') == std::string::npos) continue;
    throw Error(ErrorKind::kCorrupt,
                fmt::format("profile {}: the prompts of multi_news and lcc must begin with a line, "
                            "and multi_news end with a paragraph, without a field; found `{}`",
                            profile, part));
  }
  return {{"Summarization", summary}, {"Code", code}};
}

}  // namespace elastic::tasks
