#include "reports/differences.h"

#include <algorithm>
#include <map>
#include <set>

#include "reports/pairs.h"

namespace elastic::reports {
namespace {

// Paired cells of every model and mode but the dense one.
using ByMode = std::map<std::pair<std::string_view, std::string_view>, PairedCells>;

// The difference of `cell`, made of the paired cells that `belongs` names.
template <typename Belongs>
void add(const ByMode& by_mode, const runs::Cell& cell, std::vector<Difference>& list,
         Belongs belongs) {
  const auto found = by_mode.find({cell.model, cell.mode});
  if (found == by_mode.end()) return;
  std::vector<runs::PairedCell> parts;
  for (const auto& [key, part] : found->second) {
    if (belongs(key)) parts.push_back(part);
  }
  if (parts.empty()) return;
  list.push_back(
      {cell.model, cell.mode, cell.task, cell.category, cell.length, compare_cells(parts)});
}

void adjust(std::vector<Difference>& list) {
  std::vector<runs::PairedResult> results;
  results.reserve(list.size());
  for (const Difference& difference : list) results.push_back(difference.result);
  runs::adjust_p_values(results);
  for (std::size_t i = 0; i < list.size(); ++i) list[i].result = std::move(results[i]);
}

}  // namespace

Differences differences_to_dense(const runs::RunData& run, const runs::Summary& summary) {
  Differences out;
  const std::string dense = runs::dense_mode(summary.modes);
  if (dense.empty()) return out;
  ByMode by_mode;
  for (const std::string& model : summary.models) {
    for (const std::string& mode : summary.modes) {
      if (mode == dense) continue;
      by_mode[{model, mode}] = paired_cells({&run, model, dense}, {&run, model, mode});
    }
  }
  using runs::DataKey;
  std::set<std::vector<std::string>> seen;  // tasks of a mode whose lengths are done
  for (const runs::Cell& cell : summary.cells) {
    add(by_mode, cell, out.cells,
        [&](const DataKey& key) { return key.task == cell.task && key.length == cell.length; });
    if (!seen.insert({cell.model, cell.mode, cell.task}).second) continue;
    runs::Cell task;
    task.model = cell.model, task.mode = cell.mode, task.task = cell.task;
    add(by_mode, task, out.over_lengths, [&](const DataKey& key) { return key.task == cell.task; });
  }
  for (const runs::Cell& cell : summary.by_length) {
    add(by_mode, cell, out.by_length, [&](const DataKey& key) {
      return runs::suite_of(key.task) == cell.task && key.length == cell.length;
    });
  }
  for (const runs::Cell& cell : summary.overall) {
    add(by_mode, cell, out.overall,
        [&](const DataKey& key) { return runs::suite_of(key.task) == cell.task; });
  }
  for (const runs::Cell& cell : summary.by_category) {
    add(by_mode, cell, out.by_category, [&](const DataKey& key) {
      const auto category = run.spec.categories.find(key.task);
      return runs::suite_of(key.task) == cell.task && category != run.spec.categories.end() &&
             category->second == cell.category;
    });
  }
  for (auto* list :
       {&out.cells, &out.over_lengths, &out.by_length, &out.overall, &out.by_category}) {
    adjust(*list);
  }
  return out;
}

const Difference* find_difference(const std::vector<Difference>& list, const runs::Cell& cell) {
  const auto found = std::ranges::find_if(list, [&](const Difference& d) {
    return d.model == cell.model && d.mode == cell.mode && d.task == cell.task &&
           d.category == cell.category && d.length == cell.length;
  });
  return found == list.end() ? nullptr : &*found;
}

}  // namespace elastic::reports
