#pragma once

// What a LongBench profile settles: where the prompts come from, how long prompts are cut, what a
// model's official length is.
//
//   const auto profile = longbench_profile("longbench-official", data_dir);
//   profile->prompts.at("hotpotqa");
//
//   longbench-official, longbench-e-official    official prompts; cut by decoding head and tail and
//                                               encoding again
//   longbench-exact, longbench-e-exact          official prompts; exactly the allowed ids are kept
//   longbench-v2-official, longbench-v2-cot,    the official prompt of that kind; the joined ids
//   longbench-v2-no-context                     decoded and encoded again
//   longbench@builtin, longbench-e@builtin,     prompts in our own words, exact cut: needs no
//   longbench-v2@builtin                        configuration files

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace elastic::tasks {

enum class CutRule {
  kTwoParts,  // decode head and tail apart, put the texts together, encode again
  kJoined,    // decode the joined ids, encode again
  kExact,     // keep the ids
};

std::string_view to_string(CutRule rule);

struct LongbenchProfile {
  std::string name;
  CutRule cut = CutRule::kTwoParts;
  bool builtin = false;
  bool no_context = false;                        // second version
  std::string answer_prompt;                      // second version: of the pass after the reasoning
  std::map<std::string, std::string> prompts;     // by set; the second version's is under ""
  std::map<std::string, std::int64_t> budgets;    // answer tokens by set, where a file says so
  std::map<std::string, std::int64_t> lengths;    // prompt tokens by model name
  std::map<std::string, std::string> source_ids;  // file below the data folder -> sha256
};

/// Kept for the process. Throws kInvalidArgument for an unknown name, kNotFound naming the file and
/// the built-in profile, kCorrupt.
std::shared_ptr<const LongbenchProfile> longbench_profile(std::string_view name,
                                                          const std::filesystem::path& data_dir);

/// Our own prompts (builtin_prompts.cpp).
std::map<std::string, std::string> builtin_longbench_prompts();
std::string builtin_v2_prompt();

}  // namespace elastic::tasks
