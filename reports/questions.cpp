#include "reports/questions.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/text.h"

namespace elastic::reports {
namespace {

using runs::DataKey;
using runs::RunData;

// Settings beside the profiles that make other questions, or other answers to them.
constexpr std::string_view kSettings[] = {"seed", "max_length", "max_new_tokens"};

constexpr std::size_t kShown = 4;

std::string listed(std::vector<std::string> names) {
  const std::size_t more = names.size() > kShown ? names.size() - kShown : 0;
  names.resize(names.size() - more);
  return join(names, ", ") + (more > 0 ? fmt::format(" and {} more", more) : "");
}

std::string name_of(const DataKey& key) {
  return key.length == 0 ? key.task : fmt::format("{} at {}", key.task, format_length(key.length));
}

// Planned ones, or where a run states no plan those it has samples of.
std::set<DataKey> cells_of(const RunData& run) {
  std::set<DataKey> cells;
  for (const auto& [key, count] : run.spec.planned) cells.insert({key.task, key.length});
  for (const runs::SampleRecord& sample : run.samples) cells.insert({sample.task, sample.length});
  return cells;
}

// What one side of a pair has and the other has not: "ruler/vt only in runs/a".
template <typename Key, typename Name>
void add_unshared(const char* what, const std::set<Key>& a, const std::set<Key>& b,
                  const RunData& run_a, const RunData& run_b, Name name,
                  std::vector<std::string>& out) {
  std::vector<std::string> parts;
  for (const auto& [one, other, run] : {std::tuple(&a, &b, &run_a), std::tuple(&b, &a, &run_b)}) {
    std::vector<std::string> only;
    for (const Key& key : *one) {
      if (!other->contains(key)) only.push_back(name(key));
    }
    if (!only.empty()) parts.push_back(fmt::format("{} only in {}", listed(only), run->folder));
  }
  if (!parts.empty()) out.push_back(fmt::format("{}: {}", what, join(parts, "; ")));
}

void add_settings(const RunData& a, const RunData& b, std::vector<std::string>& out) {
  for (const auto& [key, value] : a.spec.settings) {
    const bool counts = key.starts_with(runs::kProfileSetting) ||
                        std::ranges::find(kSettings, key) != std::end(kSettings);
    const auto other = b.spec.settings.find(key);
    if (!counts || other == b.spec.settings.end() || other->second == value) continue;
    out.push_back(
        fmt::format("{}: {} in {}, {} in {}", key, value, a.folder, other->second, b.folder));
  }
}

void add_data(const RunData& a, const RunData& b, std::vector<std::string>& out) {
  std::vector<std::string> cells;
  for (const auto& [key, id] : a.spec.data_ids) {
    const auto other = b.spec.data_ids.find(key);
    if (other != b.spec.data_ids.end() && other->second != id) cells.push_back(name_of(key));
  }
  if (cells.empty()) return;
  out.push_back(
      fmt::format("data_id of {}: {} and {} (other samples, tokenizer, template or --limit)",
                  listed(cells), a.folder, b.folder));
}

}  // namespace

std::vector<std::string> unlike_questions(const std::vector<RunData>& runs) {
  std::vector<std::string> unlike;
  for (std::size_t i = 1; i < runs.size(); ++i) {
    const RunData &a = runs.front(), &b = runs[i];
    const std::set<DataKey> cells_a = cells_of(a), cells_b = cells_of(b);
    std::set<std::string> tasks_a, tasks_b;
    std::set<std::int64_t> lengths_a, lengths_b;
    for (const DataKey& key : cells_a) tasks_a.insert(key.task), lengths_a.insert(key.length);
    for (const DataKey& key : cells_b) tasks_b.insert(key.task), lengths_b.insert(key.length);
    const std::size_t before = unlike.size();
    add_unshared("tasks", tasks_a, tasks_b, a, b, std::identity(), unlike);
    add_unshared("lengths", lengths_a, lengths_b, a, b, format_length, unlike);
    if (unlike.size() == before) add_unshared("cells", cells_a, cells_b, a, b, name_of, unlike);
    add_settings(a, b, unlike);
    add_data(a, b, unlike);
  }
  return unlike;
}

void keep_shared_cells(std::vector<RunData>& runs) {
  std::set<DataKey> shared = cells_of(runs.front());
  for (const RunData& run : runs) {
    const std::set<DataKey> cells = cells_of(run);
    std::erase_if(shared, [&](const DataKey& key) { return !cells.contains(key); });
  }
  if (shared.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "the runs have no task and length in common; there is nothing to rank");
  }
  for (RunData& run : runs) {
    std::erase_if(run.samples, [&](const runs::SampleRecord& sample) {
      return !shared.contains({sample.task, sample.length});
    });
    std::erase_if(run.spec.planned, [&](const auto& entry) {
      return !shared.contains({entry.first.task, entry.first.length});
    });
    std::erase_if(run.spec.data_ids,
                  [&](const auto& entry) { return !shared.contains(entry.first); });
    std::erase_if(run.spec.tasks, [&](const std::string& task) {
      return std::ranges::none_of(shared, [&](const DataKey& key) { return key.task == task; });
    });
    std::erase_if(run.spec.lengths, [&](std::int64_t length) {
      return std::ranges::none_of(shared, [&](const DataKey& key) { return key.length == length; });
    });
  }
}

}  // namespace elastic::reports
