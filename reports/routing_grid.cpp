#include "reports/routing_grid.h"
#include "engine/api/mode_list.h"

#include <algorithm>

namespace elastic::reports {

bool RoutingGrid::add(const std::vector<std::string>& routing) {
  if (routing.empty()) return false;
  if (sparse.empty()) {
    for (const std::string& layer : routing) sparse.emplace_back(layer.size(), 0);
  }
  if (routing.size() != sparse.size()) return false;
  for (std::size_t layer = 0; layer < routing.size(); ++layer) {
    if (routing[layer].size() != sparse[layer].size()) return false;
  }
  for (std::size_t layer = 0; layer < routing.size(); ++layer) {
    for (std::size_t head = 0; head < routing[layer].size(); ++head) {
      sparse[layer][head] += routing[layer][head] == '1';
    }
  }
  ++n;
  return true;
}

bool has_head_choice(const ReportInput::Run& run, const std::string& model,
                     const std::string& mode) {
  bool routing = false, mixed = false;
  for (const runs::SampleRecord& sample : run.data.samples) {
    if (sample.model != model || sample.mode != mode || sample.routing.empty()) continue;
    routing = true;
    for (const std::string& layer : sample.routing) {
      mixed = mixed || layer.find_first_not_of(sample.routing[0][0]) != std::string::npos;
    }
    if (mixed) return true;
  }
  // A router that happened to choose alike everywhere is still a router.
  return routing && engine::has_two_modes(mode);
}

RoutingGrid routing_of(const ReportInput::Run& run, const std::string& model,
                       const std::string& mode, const std::string& task, std::int64_t length) {
  RoutingGrid grid;
  for (const runs::Cell& cell : run.summary.cells) {
    if (cell.model != model || cell.mode != mode) continue;
    if ((!task.empty() && cell.task != task) || (length != 0 && cell.length != length)) continue;
    for (const std::size_t i : cell.samples) grid.add(run.data.samples[i].routing);
  }
  return grid;
}

}  // namespace elastic::reports
