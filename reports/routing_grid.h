#pragma once

// Router decisions of many samples folded into one layer x KV head grid.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reports/input.h"

namespace elastic::reports {

struct RoutingGrid {
  std::vector<std::vector<std::int64_t>> sparse;  // [layer][kv head]: samples routed to sparse
  std::int64_t n = 0;                             // samples counted

  /// False, and nothing counted, where the routing is absent or of another shape.
  bool add(const std::vector<std::string>& routing);

  double share(std::size_t layer, std::size_t head) const {
    return static_cast<double>(sparse[layer][head]) / static_cast<double>(n);
  }
};

/// A mode whose heads differ: routed or from a pattern. Uniform modes (fa, ssa) have no picture.
bool has_head_choice(const ReportInput::Run& run, const std::string& model,
                     const std::string& mode);

/// Grid of the samples that match; an empty task or length 0 matches all.
RoutingGrid routing_of(const ReportInput::Run& run, const std::string& model,
                       const std::string& mode, const std::string& task, std::int64_t length);

}  // namespace elastic::reports
