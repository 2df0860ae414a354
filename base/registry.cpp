#include "base/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace elastic {
namespace {

// Letters inserted, left out, replaced, or two neighbours exchanged: optimal string alignment.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1), above, above_that;
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    above_that = std::exchange(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, substitute});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], above_that[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

}  // namespace

std::string unknown_name(std::string_view kind, std::string_view name,
                         const std::vector<std::string>& known) {
  std::string text = fmt::format("unknown {} `{}`", kind, name);
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : known) {
    std::size_t distance = edit_distance(name, candidate);
    if (name.find('/') == std::string_view::npos) {  // a task without its suite
      const std::string_view last = std::string_view(candidate).substr(candidate.rfind('/') + 1);
      distance = std::min(distance, edit_distance(name, last));
    }
    if (distance < best_distance) {
      best_distance = distance;
      best = &candidate;
    }
  }
  if (best != nullptr) text += fmt::format("; did you mean `{}`?", *best);
  return text + fmt::format("{} known: {}", best == nullptr ? ";" : "", join(known, ", "));
}

void throw_unknown_name(std::string_view kind, std::string_view name,
                        const std::vector<std::string>& known) {
  throw Error(ErrorKind::kInvalidArgument, unknown_name(kind, name, known));
}

}  // namespace elastic
