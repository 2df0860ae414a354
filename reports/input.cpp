#include "reports/input.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/error.h"
#include "base/text.h"

namespace elastic::reports {
namespace {

namespace fs = std::filesystem;

fs::path normal(const std::string& folder) {
  std::error_code ignored;
  fs::path path = fs::weakly_canonical(folder, ignored);
  if (ignored) path = fs::path(folder).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

// Keys whose values differ between two runs that both have them.
template <typename Key>
std::vector<Key> differing(const std::map<Key, std::string>& a,
                           const std::map<Key, std::string>& b) {
  std::vector<Key> keys;
  for (const auto& [key, value] : a) {
    const auto other = b.find(key);
    if (other != b.end() && other->second != value) keys.push_back(key);
  }
  return keys;
}

std::string shorten_list(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 4;
  if (names.size() <= kShown) return join(names, ", ");
  const std::vector<std::string> head(names.begin(), names.begin() + kShown);
  return fmt::format("{} and {} more", join(head, ", "), names.size() - kShown);
}

void warn_about_pair(const ReportInput::Run& a, const ReportInput::Run& b,
                     std::vector<std::string>& warnings) {
  std::vector<std::string> data;
  for (const runs::DataKey& key : differing(a.data.spec.data_ids, b.data.spec.data_ids)) {
    data.push_back(fmt::format("{} at {}", key.task, key.length));
  }
  if (!data.empty()) {
    warnings.push_back(fmt::format(
        "Runs {} and {} used different data for {}: their scores there are not comparable.", a.name,
        b.name, shorten_list(data)));
  }
  std::vector<std::string> profiles = differing(a.data.spec.settings, b.data.spec.settings);
  std::erase_if(profiles,
                [](const std::string& key) { return !key.starts_with(runs::kProfileSetting); });
  if (!profiles.empty()) {
    warnings.push_back(
        fmt::format("Runs {} and {} used different profiles ({}): prompts or scoring may differ.",
                    a.name, b.name, shorten_list(profiles)));
  }
}

void warn_about_run(const ReportInput::Run& run, bool several, std::vector<std::string>& warnings) {
  const std::string prefix = several ? run.name + ": " : "";
  for (const std::string& note : run.data.notes) warnings.push_back(prefix + note);
  std::int64_t planned = 0, scored = 0, failed = 0, truncated = 0, lost = 0;
  for (const runs::Cell& cell : run.summary.cells) {
    planned += cell.planned;
    scored += cell.scored;
    failed += cell.failed;
    truncated += cell.truncated;
    lost += cell.truncated_tokens;
  }
  if (planned == 0) warnings.push_back(prefix + "The run holds no samples.");
  if (scored < planned) {
    warnings.push_back(fmt::format(
        "{}{} of {} planned samples have a score{}; means are over those that have one.", prefix,
        scored, planned, failed > 0 ? fmt::format(" ({} ended in an error)", failed) : ""));
  }
  if (truncated > 0) {
    warnings.push_back(fmt::format("{}{} of {} prompts were truncated, {} tokens lost.", prefix,
                                   truncated, planned, lost));
  }
}

// A learned method without its weights says so wherever its name stands: "moba (untrained)".
void label_untrained(runs::RunData& run) {
  const auto label = [&run](std::string& mode) {
    const auto options = run.spec.mode_options.find(mode);
    if (options == run.spec.mode_options.end()) return;
    const std::string& full = options->second;
    if (full.find("weights=untrained") != std::string::npos ||
        full.find("weights=random") != std::string::npos) {
      mode += " (untrained)";
    }
  };
  for (std::string& mode : run.spec.modes) label(mode);
  for (runs::SampleRecord& sample : run.samples) label(sample.mode);
  std::map<runs::CellKey, std::int64_t> planned;
  for (const auto& [cell, count] : run.spec.planned) {
    runs::CellKey labelled = cell;
    label(labelled.mode);
    planned[labelled] = count;
  }
  run.spec.planned = std::move(planned);
}

}  // namespace

std::vector<std::string> run_names(const std::vector<std::string>& folders) {
  std::map<std::string, int> uses;
  for (const std::string& folder : folders) ++uses[normal(folder).filename().string()];
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const std::string& folder : folders) {
    const fs::path path = normal(folder);
    std::string name = path.filename().string();
    if (uses[name] > 1) name = path.parent_path().filename().string() + "/" + name;
    std::string unique = name;
    for (int i = 2; !taken.insert(unique).second; ++i) unique = fmt::format("{} ({})", name, i);
    names.push_back(unique);
  }
  return names;
}

ReportInput make_input(std::vector<runs::RunData> runs,
                       std::map<std::string, std::string> suite_titles) {
  if (runs.empty())
    throw Error(ErrorKind::kInvalidArgument, "report needs at least one run folder");
  std::vector<std::string> folders;
  std::set<fs::path> seen;
  for (const runs::RunData& run : runs) {
    if (!run.folder.empty() && !seen.insert(normal(run.folder)).second) {
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("{}: the same run is given twice; name each folder once", run.folder));
    }
    folders.push_back(run.folder);
  }
  const std::vector<std::string> names = run_names(folders);
  ReportInput input;
  input.suite_titles = std::move(suite_titles);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    label_untrained(runs[i]);
    runs::Summary summary = runs::summarise(runs[i]);
    Differences differences = differences_to_dense(runs[i], summary);
    input.runs.push_back(
        {std::move(runs[i]), std::move(summary), names[i], std::move(differences)});
  }
  for (std::size_t i = 0; i < input.runs.size(); ++i) {
    warn_about_run(input.runs[i], input.runs.size() > 1, input.warnings);
    for (std::size_t j = i + 1; j < input.runs.size(); ++j) {
      warn_about_pair(input.runs[i], input.runs[j], input.warnings);
    }
  }
  return input;
}

}  // namespace elastic::reports
