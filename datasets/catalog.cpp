#include "datasets/catalog.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/registry.h"
#include "datasets/catalog_tables.h"

namespace elastic::datasets {
namespace {

std::string_view suite_of(std::string_view source) { return source.substr(0, source.find('/')); }

}  // namespace

std::span<const DataSource> catalog() {
  static const std::vector<DataSource> all = [] {
    std::vector<DataSource> rows;
    for (const auto part : {ruler_sources(), longbench_sources(), jieba_sources(), report_sources(),
                            model_sources()}) {
      rows.insert(rows.end(), part.begin(), part.end());
    }
    return rows;
  }();
  return all;
}

std::vector<const DataSource*> find_sources(std::string_view name) {
  std::vector<const DataSource*> found;
  std::vector<std::string> known;
  for (const DataSource& source : catalog()) {
    const std::string_view suite = suite_of(source.name);
    if (source.name == name || (suite == name && !source.optional)) found.push_back(&source);
    if (std::find(known.begin(), known.end(), suite) == known.end()) {
      known.emplace_back(suite);
    }
    if (source.name != suite) known.emplace_back(source.name);
  }
  if (found.empty()) throw_unknown_name("data source", name, known);
  return found;
}

std::string missing_data(std::string_view source_name) {
  const DataSource& source = *find_sources(source_name).front();
  check(!source.files.empty(), "a source with files of its own");
  std::string text = fmt::format("data missing: {} ({}; licence: {})", source.files.front().path,
                                 source.summary, source.licence);
  if (source.kind == SourceKind::kImportOnly) {
    return text + fmt::format("; {}: elastic-bench data import PATH", source.advice);
  }
  return text + fmt::format(
                    "; fetch it with `elastic-bench data fetch {0}`, or import a copy with "
                    "`elastic-bench data import PATH`",
                    source.name);
}

}  // namespace elastic::datasets
