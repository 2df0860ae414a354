#pragma once

// Registries are plain arrays of {name, summary, make}. This is the one lookup they share: an
// unknown name is an error that lists the nearest names and all of them.

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace elastic {

/// Text for an unknown name: "unknown KIND `nam`; did you mean `name`? known: a, b, c". The last
/// part of a known name is near as well: `vt` is near `ruler/vt`.
std::string unknown_name(std::string_view kind, std::string_view name,
                         const std::vector<std::string>& known);

/// Throws kInvalidArgument with unknown_name().
[[noreturn]] void throw_unknown_name(std::string_view kind, std::string_view name,
                                     const std::vector<std::string>& known);

/// The entry whose `.name` equals `name`; throws with suggestions otherwise.
template <typename Entry>
const Entry& find_entry(std::span<const Entry> entries, std::string_view kind,
                        std::string_view name) {
  const auto it = std::find_if(entries.begin(), entries.end(),
                               [&](const Entry& entry) { return name == entry.name; });
  if (it != entries.end()) return *it;
  std::vector<std::string> known;
  for (const Entry& entry : entries) known.emplace_back(entry.name);
  throw_unknown_name(kind, name, known);
}

}  // namespace elastic
