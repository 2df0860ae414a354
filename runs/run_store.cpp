#include "runs/run_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_set>

#include "base/error.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/hash.h"
#include "base/text.h"
#include "runs/record_json.h"
#include "runs/run_reader.h"

namespace elastic::runs {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNotSet = "not set";

template <typename T>
void add_new(std::vector<T>& all, const std::vector<T>& more) {
  for (const T& item : more) {
    if (std::find(all.begin(), all.end(), item) == all.end()) all.push_back(item);
  }
}

// "cpu" then "cuda" on resume is kept as "cpu | cuda": a reader sees that both contributed.
void add_environment(std::map<std::string, std::string>& all,
                     const std::map<std::string, std::string>& more) {
  constexpr std::string_view kAnd = " | ";
  for (const auto& [key, value] : more) {
    std::string& known = all[key];
    const std::string padded = fmt::format("{}{}{}", kAnd, known, kAnd);
    if (known.empty()) {
      known = value;
    } else if (padded.find(fmt::format("{}{}{}", kAnd, value, kAnd)) == std::string::npos) {
      known += fmt::format("{}{}", kAnd, value);
    }
  }
}

RunSpec merged(RunSpec old, const RunSpec& now) {
  old.settings.insert(now.settings.begin(), now.settings.end());
  add_environment(old.environment, now.environment);
  old.mode_options.insert(now.mode_options.begin(), now.mode_options.end());
  add_new(old.modes, now.modes);
  add_new(old.tasks, now.tasks);
  add_new(old.lengths, now.lengths);
  for (const auto& [cell, samples] : now.planned) {
    std::int64_t& known = old.planned[cell];
    if (samples < known) continue;
    known = samples;  // a data id covers the sample count, so it follows the larger set
    const DataKey data{cell.task, cell.length};
    if (const auto id = now.data_ids.find(data); id != now.data_ids.end()) {
      old.data_ids[data] = id->second;
    }
  }
  old.planned_samples = 0;
  for (const auto& [cell, samples] : old.planned) old.planned_samples += samples;
  for (const auto& [source, id] : now.source_ids) old.source_ids[source] = id;
  for (const auto& [source, licence] : now.licences) old.licences[source] = licence;
  for (const auto& [task, category] : now.categories) old.categories[task] = category;
  for (const auto& [name, text] : now.templates) old.templates[name] = text;
  return old;
}

// A profile that only one side has belongs to a suite that only one side asked for.
bool is_new_suite(const std::string& key, const std::string& was, const std::string& is) {
  return key.starts_with(kProfileSetting) && (was == kNotSet || is == kNotSet);
}

void refuse_other_settings(const fs::path& folder, const std::map<std::string, std::string>& old,
                           const std::map<std::string, std::string>& now) {
  const auto value = [](const std::map<std::string, std::string>& settings,
                        const std::string& key) {
    const auto it = settings.find(key);
    return it == settings.end() ? std::string(kNotSet) : fmt::format("`{}`", it->second);
  };
  std::map<std::string, std::string> keys = old;
  keys.insert(now.begin(), now.end());
  std::vector<std::string> differences;
  for (const auto& [key, unused] : keys) {
    const std::string was = value(old, key), is = value(now, key);
    if (was != is && !is_new_suite(key, was, is))
      differences.push_back(fmt::format("`{}` was {} and is now {}", key, was, is));
  }
  if (differences.empty()) return;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: this run was started with other settings, so its samples cannot be "
                          "continued: {}. Give the old values, or another --output",
                          folder.string(), join(differences, "; ")));
}

// The same mode name with other options: the checkpoint's defaults changed, or the program's.
void refuse_other_modes(const fs::path& folder, const std::map<std::string, std::string>& old,
                        const std::map<std::string, std::string>& now) {
  for (const auto& [mode, options] : now) {
    const auto it = old.find(mode);
    if (it == old.end() || it->second == options) continue;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: mode `{}` was `{}` and is now `{}`; spell the old options out, or "
                            "choose another --output",
                            folder.string(), mode, it->second, options));
  }
}

// Ranks of one job open the folder in any order, so with several a rank judges by its own file.
void refuse_existing(const StoreOptions& options, const fs::path& own_samples) {
  const fs::path& folder = options.folder;
  const bool exists = options.world_size > 1
                          ? fs::exists(own_samples)
                          : fs::exists(folder / "run.json") || !sample_files(folder).empty();
  if (!exists) return;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: holds a run already and measured samples are never deleted; move it "
                          "away (mv {} {}.old) or choose another --output",
                          folder.string(), folder.string(), folder.string()));
}

// Creates run.json or brings it up to date, keeping keys this version does not know.
void update_run_json(const fs::path& folder, const RunSpec& spec) {
  const fs::path path = folder / "run.json";
  if (!fs::exists(path)) {
    if (!sample_files(folder).empty()) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: holds samples but no run.json, so their settings are unknown; "
                              "choose another --output",
                              folder.string()));
    }
    write_file_atomic(path, dump_pretty(spec_to_json(spec)));
    return;
  }
  const Json before = read_json(path);
  const RunSpec old = spec_from_json({before, path.string()});
  refuse_other_settings(folder, old.settings, spec.settings);
  refuse_other_modes(folder, old.mode_options, spec.mode_options);
  Json after = before;
  const Json known = spec_to_json(merged(old, spec));
  for (const auto& [key, value] : known.items()) after[key] = value;
  if (after != before) write_file_atomic(path, dump_pretty(after));
}

// Cuts a torn last line off this rank's own file and says so.
void repair(const fs::path& path, std::vector<std::string>& notes) {
  if (!fs::exists(path)) return;
  std::vector<std::string> unused;
  const SampleFile file = read_sample_file(path, unused);
  if (file.torn_bytes == 0) return;
  if (::truncate(path.c_str(), file.whole_bytes) != 0) {
    throw Error(ErrorKind::kIo, fmt::format("{}: cannot cut the torn last line: {}", path.string(),
                                            std::strerror(errno)));
  }
  notes.push_back(fmt::format("{}: cut a torn last line of {} bytes; its sample runs again",
                              path.string(), file.torn_bytes));
}

}  // namespace

std::string sample_key(const KeyParts& parts) {
  Sha256 hash;
  const auto add = [&hash](std::string_view part) {
    hash.update(fmt::format("{}:", part.size())).update(part);
  };
  for (const auto& [name, value] : parts.settings) {
    add(name);
    add(value);
  }
  add(parts.profile);
  add(parts.mode);
  add(parts.task);
  add(std::to_string(parts.length));
  add(std::to_string(parts.index));
  add(parts.content_sha256);
  return hash.hex();
}

struct RunStore::Impl {
  fs::path folder;
  FileLock rank_lock;
  RunData found;
  std::unordered_set<std::string> done;
  std::unique_ptr<AppendFile> file;
};

RunStore::RunStore(const StoreOptions& options, const RunSpec& spec) {
  const fs::path& folder = options.folder;
  create_folders(folder);
  const fs::path samples = folder / fmt::format("samples.rank{}.jsonl", options.rank);
  impl_.reset(new Impl{folder,
                       {folder / fmt::format(".lock.rank{}", options.rank), FileLock::Wait::kNo},
                       {},
                       {},
                       nullptr});
  std::vector<std::string> repairs;
  {
    const FileLock run_lock(folder / ".lock", FileLock::Wait::kYes);
    if (!options.resume) refuse_existing(options, samples);
    update_run_json(folder, spec);
    repair(samples, repairs);
  }
  impl_->found = read_run(folder);
  std::move(repairs.begin(), repairs.end(), std::back_inserter(impl_->found.notes));
  for (const SampleRecord& record : impl_->found.samples) {
    if (record.outcome == Outcome::kOk) impl_->done.insert(record.key);
  }
  impl_->file = std::make_unique<AppendFile>(samples);
}

RunStore::~RunStore() = default;

const RunData& RunStore::found() const { return impl_->found; }

bool RunStore::is_done(std::string_view key) const {
  return impl_->done.contains(std::string(key));
}

void RunStore::append(const SampleRecord& record) {
  impl_->file->append(record_line(record));
  if (record.outcome == Outcome::kOk) impl_->done.insert(record.key);
}

void RunStore::note(const std::map<std::string, std::string>& environment) {
  const FileLock run_lock(impl_->folder / ".lock", FileLock::Wait::kYes);
  const fs::path path = impl_->folder / "run.json";
  RunSpec spec = spec_from_json({read_json(path), path.string()});
  spec.environment = environment;  // all else stays as it is
  update_run_json(impl_->folder, spec);
}

}  // namespace elastic::runs
