#include "datasets/build_prompt_pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "datasets/python_literals.h"

namespace elastic::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kConstants = "synthetic/constants.py";
constexpr std::string_view kTemplates = "template.py";
constexpr std::string_view kNiah = "synthetic/niah.py";
constexpr std::string_view kTracking = "synthetic/variable_tracking.py";
constexpr std::string_view kQa = "synthetic/qa.py";
constexpr std::array kFiles = {kConstants, kTemplates, kNiah, kTracking, kQa};

constexpr std::array<std::string_view, 5> kTasks = {
    "niah", "variable_tracking", "common_words_extraction", "freq_words_extraction", "qa"};
constexpr std::array<std::string_view, 3> kTexts = {"needle", "noise", "qa_document"};

[[noreturn]] void fail(const std::string& source, const std::string& what) {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", source, what));
}

const std::string& source_text(const std::map<std::string, std::string>& sources,
                               std::string_view file) {
  const auto it = sources.find(std::string(file));
  if (it == sources.end()) fail(std::string(file), "upstream file is missing");
  return it->second;
}

std::string string_constant(const std::map<std::string, std::string>& sources,
                            std::string_view file, std::string_view name) {
  const Json value = python_constant(source_text(sources, file), name, file);
  if (!value.is_string()) fail(std::string(file), fmt::format("`{}` is no string", name));
  return value.get<std::string>();
}

// The stock sentences: niah repeats them as its haystack; variable tracking has the same line.
std::string noise_line(const std::map<std::string, std::string>& sources) {
  const auto noise = find_python_constant(source_text(sources, kNiah), "haystack", kNiah);
  if (noise && noise->is_string()) return noise->get<std::string>();
  return std::string(strip(string_constant(sources, kTracking, "noise")));
}

Json task_entry(const Json& task) {
  Json entry = Json::object();
  for (const char* key : {"template", "answer_prefix", "tokens_to_generate"}) {
    if (const auto it = task.find(key); it != task.end()) entry[key] = *it;
  }
  return entry;
}

Json task_entries(const Json& constants) {
  if (!constants.is_object()) fail(std::string(kConstants), "`TASKS` is no dictionary");
  Json tasks = Json::object();
  for (const auto& [name, task] : constants.items()) {
    const bool wanted = std::find(kTasks.begin(), kTasks.end(), name) != kTasks.end();
    if (wanted && task.is_object()) tasks[name] = task_entry(task);
  }
  return tasks;
}

const Json& object_at(const Json& parent, std::string_view key, const std::string& source) {
  const auto it = parent.find(key);
  if (it == parent.end() || !it->is_object()) {
    fail(source, fmt::format("key `{}` is missing or no object: not a prompt pack", key));
  }
  return *it;
}

void require_field(const std::string& text, std::string_view field, const std::string& where) {
  if (text.find(field) == std::string::npos) {
    fail(where, fmt::format("the text has no field {}", field));
  }
}

// HEAD's commit of a checkout; "unknown" where it cannot be told.
std::string commit_of(const fs::path& checkout) {
  try {
    const std::string head(strip(read_file(checkout / ".git/HEAD")));
    constexpr std::string_view kReference = "ref: ";
    if (!head.starts_with(kReference)) return head;
    const std::string reference = head.substr(kReference.size());
    if (reference.find("..") != std::string::npos) return "unknown";
    return std::string(strip(read_file(checkout / ".git" / reference)));
  } catch (const Error&) {  // an archive, or packed references
    return "unknown";
  }
}

}  // namespace

std::span<const std::string_view> prompt_source_files() { return kFiles; }

PackOrigin official_pack_origin(std::string_view profile) {
  if (profile == "ruler@gen-a") {
    return {"ruler@gen-a", "hsiehjackson/RULER", "e40fae14df4e439bb355d395b574ac4e7398036d"};
  }
  check(profile == "ruler@gen-b", "two upstream generations have prompt packs");
  return {"ruler@gen-b", "NVIDIA/RULER", "c3f5e3b4f87f97e048793bb510a3a6b19a46bf3a"};
}

Json build_prompt_pack(const std::map<std::string, std::string>& raw_sources,
                       const PackOrigin& origin) {
  std::map<std::string, std::string> sources;  // line ends as Python reads them
  for (const auto& [name, text] : raw_sources) sources[name] = replace_all(text, "\r\n", "\n");

  Json pack = Json::object();
  pack["schema_version"] = 1;
  pack["profile"] = origin.profile;
  pack["source"] = {
      {"repository", origin.repository}, {"commit", origin.commit}, {"licence", origin.licence}};
  pack["texts"] = {{"needle", string_constant(sources, kNiah, "needle")},
                   {"noise", noise_line(sources)},
                   {"qa_document", string_constant(sources, kQa, "DOCUMENT_PROMPT")}};
  pack["tasks"] =
      task_entries(python_constant(source_text(sources, kConstants), "TASKS", kConstants));
  pack["model_templates"] =
      python_constant(source_text(sources, kTemplates), "Templates", kTemplates);
  check_prompt_pack(pack, fmt::format("{}@{}", origin.repository, origin.commit));
  return pack;
}

std::string prompt_pack_text(const Json& pack) { return pack.dump(1, ' ', true); }

std::optional<Json> prompt_pack_of_checkout(const fs::path& checkout) {
  const fs::path folder = checkout / "scripts/data";
  std::error_code ignored;
  std::map<std::string, std::string> sources;
  for (const std::string_view file : kFiles) {
    if (!fs::is_regular_file(folder / file, ignored)) return std::nullopt;
    sources[std::string(file)] = read_file(folder / file);
  }
  // Since mid-2025 the needle generator writes the answer prefix as a field of its own.
  const bool recent = sources[std::string(kNiah)].find("answer_prefix") != std::string::npos;
  PackOrigin origin = official_pack_origin(recent ? "ruler@gen-b" : "ruler@gen-a");
  const std::string commit = commit_of(checkout);
  if (commit != origin.commit) {
    origin.repository = "local checkout";
    origin.commit = commit;
  }
  return build_prompt_pack(sources, origin);
}

std::string check_prompt_pack(const Json& pack, const std::string& source) {
  if (!pack.is_object()) fail(source, "a prompt pack is a JSON object");
  if (json_get<std::int64_t>({pack, source}, "schema_version") != 1) {
    fail(source, "key `schema_version`: this program reads version 1");
  }
  const std::string profile = json_get<std::string>({pack, source}, "profile");
  if (!profile.starts_with("ruler@")) {
    fail(source, fmt::format("key `profile` is `{}`, expected ruler@NAME", profile));
  }
  const Json& texts = object_at(pack, "texts", source);
  for (const std::string_view key : kTexts) json_get<std::string>({texts, source + ": texts"}, key);
  require_field(texts["needle"].get<std::string>(), "{value}", source + ": texts.needle");
  const Json& tasks = object_at(pack, "tasks", source);
  for (const std::string_view name : kTasks) {
    const Json& task = object_at(tasks, name, source + ": tasks");
    const std::string where = fmt::format("{}: tasks.{}", source, name);
    require_field(json_get<std::string>({task, where}, "template"), "{context}", where);
    json_get<std::string>({task, where}, "answer_prefix");
    if (json_get<std::int64_t>({task, where}, "tokens_to_generate") < 1) {
      fail(where, "key `tokens_to_generate` is below 1");
    }
  }
  const Json& templates = object_at(pack, "model_templates", source);
  for (const auto& [name, value] : templates.items()) {
    const std::string where = fmt::format("{}: model_templates.{}", source, name);
    if (!value.is_string()) fail(where, "expected a string");
    require_field(value.get<std::string>(), "{task_template}", where);
  }
  return profile;
}

}  // namespace elastic::datasets
