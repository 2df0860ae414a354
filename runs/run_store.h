#pragma once

// A run folder (docs/run_format.md): run.json and one append-only samples.rank<N>.jsonl a process.
// Reading:
//
//   RunData run = read_run("runs/a");      // reports, score, compare
//
// Writing, one RunStore a process:
//
//   RunStore store({.folder = "runs/a", .rank = 0}, spec);
//   if (!store.is_done(key)) store.append(record);          // on disk when it returns
//
// A sample line counts only with its newline. A torn last line (the process was killed while
// writing) is cut off the file before the first append; readers pass over it and say so.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "runs/record.h"

namespace elastic::runs {

/// Throws kNotFound where `folder` holds no run.json, kCorrupt where run.json is not one,
/// kUnsupported for a newer schema. Lines that are no records are passed over with a note. Of
/// several records of one key, one with outcome ok wins, else the last.
RunData read_run(const std::filesystem::path& folder);

/// The key of a sample: SHA-256 over its parts, separated unambiguously. `settings` is everything
/// else that changes results, `content_sha256` identifies the sample's data.
struct KeyParts {
  const std::map<std::string, std::string>& settings;
  std::string_view profile;
  std::string_view mode;  // with every option spelt out
  std::string_view task;
  std::int64_t length = 0;
  std::int64_t index = 0;
  std::string_view content_sha256;
};
std::string sample_key(const KeyParts& parts);

struct StoreOptions {
  std::filesystem::path folder;  // created where absent
  int rank = 0;
  int world_size = 1;
  bool resume = true;  // false: refuse a folder that already holds a run
};

class RunStore {
 public:
  /// Opens or creates the run and brings run.json up to date (new modes, tasks, lengths and counts
  /// are added to those there). Throws kInvalidArgument where another process writes as this rank,
  /// where `settings` or data ids differ from the folder's (naming each key with both values), or
  /// where resume is off and the folder holds a run; otherwise as read_run().
  RunStore(const StoreOptions& options, const RunSpec& spec);
  ~RunStore();
  RunStore(const RunStore&) = delete;
  RunStore& operator=(const RunStore&) = delete;

  /// What the folder held when it was opened, all ranks; notes name what was repaired.
  const RunData& found() const;

  /// True where a record of this key with outcome ok is there.
  bool is_done(std::string_view key) const;

  /// The whole line is on disk when it returns; kIo with the file as it was otherwise.
  void append(const SampleRecord& record);

  /// Adds to the run's environment what is known only after samples have run.
  void note(const std::map<std::string, std::string>& environment);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace elastic::runs
