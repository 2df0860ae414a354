#include "runs/run_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "runs/record_json.h"
#include "runs/run_store.h"

namespace elastic::runs {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "samples.rank";
constexpr std::string_view kSuffix = ".jsonl";
constexpr std::size_t kMaxNotes = 20;  // of one kind; the rest is counted

std::optional<std::int64_t> rank_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  const std::string_view digits =
      std::string_view(name).substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return parse_int(digits);
}

}  // namespace

SampleFile read_sample_file(const fs::path& path, std::vector<std::string>& notes) {
  const MappedFile map(path);
  const auto bytes = map.bytes();
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  SampleFile file;
  std::size_t skipped = 0;
  for (std::int64_t line = 1; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      file.torn_bytes = static_cast<std::int64_t>(text.size());
      notes.push_back(
          fmt::format("{}: torn last line of {} bytes, passed over", path.string(), text.size()));
      break;
    }
    const std::string_view content = text.substr(0, end);
    text.remove_prefix(end + 1);
    file.whole_bytes += static_cast<std::int64_t>(end) + 1;
    if (strip(content).empty()) continue;
    const std::string source = fmt::format("{}, line {}", path.string(), line);
    try {
      file.records.push_back(record_from_json({parse_json(content, source), source}));
    } catch (const Error& error) {
      if (++skipped <= kMaxNotes) {
        notes.push_back(fmt::format("{}; line passed over", error.what()));
      }
    }
  }
  if (skipped > kMaxNotes) {
    notes.push_back(fmt::format("{}: {} lines passed over in all", path.string(), skipped));
  }
  return file;
}

std::vector<fs::path> sample_files(const fs::path& folder) {
  std::vector<std::pair<std::int64_t, fs::path>> ranked;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    if (const auto rank = rank_of(entry.path()); rank && entry.is_regular_file()) {
      ranked.emplace_back(*rank, entry.path());
    }
  }
  if (code) {
    throw Error(ErrorKind::kIo,
                fmt::format("{}: cannot list: {}", folder.string(), code.message()));
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<fs::path> files;
  files.reserve(ranked.size());
  for (auto& [rank, path] : ranked) files.push_back(std::move(path));
  return files;
}

std::vector<SampleRecord> latest_records(std::vector<SampleRecord> records) {
  std::unordered_map<std::string, std::size_t> position;
  std::vector<SampleRecord> latest;
  for (SampleRecord& record : records) {
    const auto [it, added] = position.try_emplace(record.key, latest.size());
    if (added) {
      latest.push_back(std::move(record));
    } else if (SampleRecord& old = latest[it->second];
               record.outcome == Outcome::kOk || old.outcome != Outcome::kOk) {
      old = std::move(record);
    }
  }
  return latest;
}

// One note a cell, up to kMaxNotes of them.
void note_cells(const std::map<CellKey, std::int64_t>& cells, std::string_view what,
                std::vector<std::string>& notes) {
  std::size_t shown = 0;
  for (const auto& [cell, n] : cells) {
    if (++shown > kMaxNotes) break;
    notes.push_back(fmt::format("{}: {} {}", to_string(cell), n, what));
  }
  if (cells.size() > kMaxNotes) {
    notes.push_back(fmt::format("{} cells in all: {}", cells.size(), what));
  }
}

// Passes over what is no part of the run: records of cells the plan lacks, and further records of a
// sample under another key. Says so, and says where a cell holds more samples than planned.
std::vector<SampleRecord> records_of_plan(std::vector<SampleRecord> records, const RunSpec& spec,
                                          std::vector<std::string>& notes) {
  std::map<CellKey, std::int64_t> unplanned, again, surplus, count;
  std::set<std::pair<CellKey, std::int64_t>> seen;  // cell and index: a run has one model
  std::vector<SampleRecord> kept;
  for (SampleRecord& record : records) {
    const CellKey cell{record.mode, record.task, record.length};
    const auto planned = spec.planned.find(cell);
    if (!spec.planned.empty() && planned == spec.planned.end()) {
      ++unplanned[cell];
    } else if (!seen.emplace(cell, record.index).second) {
      ++again[cell];
    } else {
      const std::int64_t n = ++count[cell];
      if (planned != spec.planned.end() && n > planned->second) ++surplus[cell];
      kept.push_back(std::move(record));
    }
  }
  note_cells(unplanned, "records of a cell that run.json does not plan, passed over", notes);
  note_cells(again, "records of samples that have one under another key, passed over", notes);
  note_cells(surplus, "samples more than run.json plans; all count", notes);
  return kept;
}

RunData read_run(const fs::path& folder) {
  const fs::path json = folder / "run.json";
  std::error_code ignored;
  if (!fs::exists(json, ignored)) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: not a run folder (no run.json); `elastic-bench run --output {}` "
                            "makes one",
                            folder.string(), folder.string()));
  }
  RunData run;
  run.folder = folder.string();
  run.spec = spec_from_json({read_json(json), json.string()});
  std::vector<SampleRecord> records;
  for (const fs::path& path : sample_files(folder)) {
    SampleFile file = read_sample_file(path, run.notes);
    std::move(file.records.begin(), file.records.end(), std::back_inserter(records));
  }
  run.samples = records_of_plan(latest_records(std::move(records)), run.spec, run.notes);
  return run;
}

}  // namespace elastic::runs
