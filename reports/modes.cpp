// What the modes of the runs compute, in a paragraph each: the engine's own words for the mode and
// for the head modes it is made of, and every option that was in force with its meaning.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "engine/api/mode_list.h"
#include "reports/cells.h"
#include "reports/option_glossary.h"

namespace elastic::reports {
namespace {

// Names of the head modes of `name`: both of A-B where both are known, else the name itself.
std::vector<std::string> head_modes(const ReportInput& input, const std::string& name) {
  const auto known = [&](const std::string& part) { return input.mode_summaries.contains(part); };
  for (std::size_t dash = name.find('-'); dash != std::string::npos;
       dash = name.find('-', dash + 1)) {
    const std::string a = name.substr(0, dash), b = name.substr(dash + 1);
    if (known(a) && known(b)) return {a, b};
  }
  return {name};
}

// The registry's line without its list of options, which stands beside.
std::string summary_of(const ReportInput& input, const std::string& name) {
  const auto found = input.mode_summaries.find(name);
  if (found == input.mode_summaries.end()) return "";
  return found->second.substr(0, found->second.find("; options "));
}

std::string paragraph(const ReportInput& input, const std::string& name) {
  std::string text = summary_of(input, name);
  const std::vector<std::string> parts = head_modes(input, name);
  if (parts.size() == 1) return text;
  for (const std::string& part : parts) {
    text += fmt::format("; {}: {}", part, summary_of(input, part));
  }
  return text;
}

// "sink=128 (first tokens ...), local=256 (...)" of "ssa:sink=128,local=256".
std::string options_of(const ReportInput& input, const std::string& described) {
  const std::size_t colon = described.find(':');
  if (colon == std::string::npos) return "";
  const std::vector<std::string> heads =
      head_modes(input, std::string(engine::mode_name(described)));
  std::vector<std::string> lines;
  for (std::string line : split_list(described.substr(colon + 1))) {
    const std::string_view meaning = option_meaning(heads.back(), line.substr(0, line.find('=')));
    if (!meaning.empty()) line += fmt::format(" ({})", meaning);
    lines.push_back(std::move(line));
  }
  return join(lines, ", ");
}

}  // namespace

Document modes_document(const ReportInput& input) {
  Document document{"modes", "Modes explained", "", {}, {}, {}};
  Table table{"modes",
              "What the modes compute",
              "",
              {{"mode", "Mode"}, {"computes", "What it computes"}, {"options", "Options in force"}},
              {},
              {}};
  std::set<std::string> seen;
  for (const ReportInput::Run& run : input.runs) {
    for (const std::string& mode : run.summary.modes) {
      const std::string asked = mode.substr(0, mode.find(" (untrained)"));  // input.cpp adds it
      const auto full = run.data.spec.mode_options.find(asked);
      const std::string described = full == run.data.spec.mode_options.end() ? asked : full->second;
      if (described.empty() || !seen.insert(mode + '\n' + described).second) continue;
      table.rows.push_back(
          {cell(mode),
           cell(text_or_null(paragraph(input, std::string(engine::mode_name(described))))),
           cell(text_or_null(options_of(input, described)))});
    }
  }
  table.caption =
      "MSR counts KV heads in sparse mode. All options are shown, those that nobody set with their "
      "defaults; together they are part of every sample's key.";
  const bool says = std::ranges::any_of(table.rows, [](const auto& row) {
    return row[1].value != Value() || row[2].value != Value();
  });
  if (says) document.tables.push_back(std::move(table));
  return document;
}

}  // namespace elastic::reports
