#pragma once

// What a training prompt carries around context and question by its task (elastic_attention spec
// 4.3): summaries are asked for as LongBench's multi_news asks, code as its lcc asks.
//
//   const auto wrappings = task_wrappings("longbench-official", data_dir);
//   prompt = wrappings.at("Code").before + prompt + wrappings.at("Code").behind;

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace elastic::tasks {

struct TaskWrapping {
  std::string before, behind;
};

inline constexpr std::string_view kBuiltinPrompts = "longbench@builtin";

/// By task: of kBuiltinPrompts in our own words, of other LongBench profiles cut from their
/// prompts. Throws as longbench_profile(), kCorrupt where a prompt is not of the form that is cut.
std::map<std::string, TaskWrapping> task_wrappings(std::string_view profile,
                                                   const std::filesystem::path& data_dir);

}  // namespace elastic::tasks
