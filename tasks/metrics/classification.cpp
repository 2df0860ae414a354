#include "tasks/metrics/classification.h"

#include <algorithm>
#include <vector>

namespace elastic::tasks {

double classification(std::string_view prediction, std::string_view truth,
                      std::span<const std::string> classes) {
  std::vector<std::string_view> found;
  for (const std::string& label : classes) {
    if (prediction.find(label) != std::string_view::npos) found.push_back(label);
  }
  for (std::size_t k = 0; k < found.size(); ++k) {
    const std::string_view label = found[k];
    if (label == truth || truth.find(label) == std::string_view::npos) continue;
    found.erase(std::find(found.begin(), found.end(), label));
  }
  if (std::find(found.begin(), found.end(), truth) == found.end()) return 0;
  return 1.0 / static_cast<double>(found.size());
}

}  // namespace elastic::tasks
