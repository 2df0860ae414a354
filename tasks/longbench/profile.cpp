#include "tasks/longbench/profile.h"

#include <fmt/format.h>

#include <array>
#include <mutex>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/registry.h"
#include "datasets/catalog.h"

namespace elastic::tasks {
namespace {

namespace fs = std::filesystem;

struct Row {
  std::string_view name;
  CutRule cut;
  std::string_view builtin_of;  // the profile to take where the files are missing; "" = built in
  std::string_view prompt;      // second version: its file
  std::string_view answer_prompt;
};

constexpr std::string_view kV1Builtin = "longbench@builtin", kEBuiltin = "longbench-e@builtin",
                           kV2Builtin = "longbench-v2@builtin";
constexpr std::array kProfiles = {
    Row{"longbench-official", CutRule::kTwoParts, kV1Builtin, "", ""},
    Row{"longbench-exact", CutRule::kExact, kV1Builtin, "", ""},
    Row{"longbench-e-official", CutRule::kTwoParts, kEBuiltin, "", ""},
    Row{"longbench-e-exact", CutRule::kExact, kEBuiltin, "", ""},
    Row{"longbench-v2-official", CutRule::kJoined, kV2Builtin, "0shot.txt", ""},
    Row{"longbench-v2-cot", CutRule::kJoined, kV2Builtin, "0shot_cot.txt", "0shot_cot_ans.txt"},
    Row{"longbench-v2-no-context", CutRule::kJoined, kV2Builtin, "0shot_no_context.txt", ""},
    Row{kV1Builtin, CutRule::kExact, "", "", ""},
    Row{kEBuiltin, CutRule::kExact, "", "", ""},
    Row{kV2Builtin, CutRule::kExact, "", "", ""},
};

// A file of longbench_config, its hash noted.
std::string read_config(const Row& row, const fs::path& data_dir, const std::string& name,
                        LongbenchProfile& profile) {
  const std::string path = "longbench_config/" + name;
  std::error_code ignored;
  if (!fs::exists(data_dir / path, ignored)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: {}; or use --profile {}, which has prompts of its own",
                            (data_dir / path).string(), datasets::missing_data("longbench/config"),
                            row.builtin_of));
  }
  std::string bytes = read_file(data_dir / path);
  profile.source_ids[path] = sha256_hex(bytes);
  return bytes;
}

template <typename T>
std::map<std::string, T> read_table(const Row& row, const fs::path& data_dir,
                                    const std::string& name, LongbenchProfile& profile) {
  const Json json = parse_json(read_config(row, data_dir, name, profile), name);
  std::map<std::string, T> table;
  for (const auto& [key, ignored] : json.items()) table[key] = json_get<T>({json, name}, key);
  return table;
}

std::shared_ptr<const LongbenchProfile> load(const Row& row, const fs::path& data_dir) {
  auto profile = std::make_shared<LongbenchProfile>();
  profile->name = row.name;
  profile->cut = row.cut;
  profile->builtin = row.builtin_of.empty();
  const bool v2 = row.name.starts_with("longbench-v2");
  if (profile->builtin) {
    profile->prompts = v2 ? std::map<std::string, std::string>{{"", builtin_v2_prompt()}}
                          : builtin_longbench_prompts();
  } else if (v2) {
    const auto prompt = [&](std::string_view file) {
      return read_config(row, data_dir, fmt::format("v2/prompts/{}", file), *profile);
    };
    profile->prompts[""] = prompt(row.prompt);
    if (!row.answer_prompt.empty()) profile->answer_prompt = prompt(row.answer_prompt);
    profile->no_context = row.name.ends_with("no-context");
    profile->lengths = read_table<std::int64_t>(row, data_dir, "v2/model2maxlen.json", *profile);
  } else {
    profile->prompts = read_table<std::string>(row, data_dir, "v1/dataset2prompt.json", *profile);
    profile->budgets = read_table<std::int64_t>(row, data_dir, "v1/dataset2maxlen.json", *profile);
    profile->lengths = read_table<std::int64_t>(row, data_dir, "v1/model2maxlen.json", *profile);
  }
  return profile;
}

}  // namespace

std::string_view to_string(CutRule rule) {
  constexpr std::string_view kNames[] = {"middle, two parts decoded and encoded again",
                                         "middle, decoded at once and encoded again",
                                         "middle, exact tokens"};
  return kNames[static_cast<std::size_t>(rule)];
}

std::shared_ptr<const LongbenchProfile> longbench_profile(std::string_view name,
                                                          const fs::path& data_dir) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, fs::path>, std::shared_ptr<const LongbenchProfile>> kept;
  const Row& row = find_entry(std::span<const Row>(kProfiles), "profile", name);
  const std::lock_guard lock(mutex);
  auto& profile = kept[{std::string(name), data_dir}];
  if (!profile) profile = load(row, data_dir);
  return profile;
}

}  // namespace elastic::tasks
