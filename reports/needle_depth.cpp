// Needle depth x length: where in the context an answer is still found. One grid per mode, from the
// samples that have a single needle depth (record.h, strata `needle_depth`).

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/text.h"
#include "reports/cells.h"

namespace elastic::reports {
namespace {

constexpr int kBins = 10;  // of 10 % each; the last one includes 100 %

std::optional<int> depth_bin(const runs::SampleRecord& sample) {
  const auto at = sample.strata.find("needle_depth");
  if (at == sample.strata.end()) return std::nullopt;
  const auto depth = parse_double(strip(at->second));  // "12,60": several needles, no one depth
  if (!depth || !(*depth >= 0 && *depth <= 100)) return std::nullopt;
  return std::min(static_cast<int>(*depth / (100.0 / kBins)), kBins - 1);
}

struct Tally {
  double sum = 0;
  std::int64_t n = 0;
};

using Grid = std::map<std::int64_t, std::array<Tally, kBins>>;  // by length

Grid tally(const ReportInput::Run& run, const Subject& subject, const std::string& mode) {
  Grid grid;
  for (const runs::SampleRecord& sample : run.data.samples) {
    if (sample.model != subject.model || sample.mode != mode ||
        sample.outcome != runs::Outcome::kOk)
      continue;
    const std::optional<int> bin = depth_bin(sample);
    if (!bin || !sample.score || sample.length == 0) continue;
    Tally& cell = grid[sample.length][static_cast<std::size_t>(*bin)];
    cell.sum += *sample.score;
    ++cell.n;
  }
  return grid;
}

std::string bin_label(int bin) {
  const int width = 100 / kBins;
  return std::to_string(bin * width) + "-" + std::to_string((bin + 1) * width);
}

Heatmap heatmap_of(const Grid& grid, std::string title) {
  Heatmap map{std::move(title), "length", "needle depth, %", {}, {}, {}, {}, 0};
  for (int bin = 0; bin < kBins; ++bin) {
    map.y_labels.push_back(bin_label(bin));
    map.values.emplace_back();
    map.counts.emplace_back();
  }
  for (const auto& [length, bins] : grid) {
    map.x_labels.push_back(format_length(length));
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      std::optional<double> value;
      if (bins[bin].n > 0) value = 100 * bins[bin].sum / static_cast<double>(bins[bin].n);
      map.values[bin].push_back(value);
      map.counts[bin].push_back(bins[bin].n);
    }
  }
  return map;
}

void add_rows(const Grid& grid, const Subject& subject, const std::string& mode, Table& table) {
  if (!table.rows.empty()) table.rules.push_back(table.rows.size());
  for (int bin = 0; bin < kBins; ++bin) {
    std::vector<Cell> row{cell(series_name(subject, mode)), cell(bin_label(bin))};
    for (std::size_t column = 2; column < table.columns.size(); ++column) {
      const std::int64_t length = *parse_int(table.columns[column].key);
      const auto at = grid.find(length);
      Cell score;
      if (at != grid.end()) {
        const Tally& found = at->second[static_cast<std::size_t>(bin)];
        if (found.n > 0) {
          const double mean = found.sum / static_cast<double>(found.n);
          score.value = number(mean, 100);
          score.shade = mean;
          const double width = 100.0 / kBins;
          score.samples = SampleFilter{
              subject.run, subject.model, mode,
              "",          length,        std::array<double, 2>{bin * width, (bin + 1) * width}};
        }
      }
      row.push_back(std::move(score));
    }
    table.rows.push_back(std::move(row));
  }
}

}  // namespace

Document needle_depth_document(const ReportInput& input) {
  Document document{"needle_depth", "Needle depth", "", {}, {}, {}};
  Figure figure{"needle_depth", "Score by needle depth and length", "", {}};
  Table table{"needle_depth",
              "Score by needle depth and length",
              "",
              {{"mode", "Mode"}, {"depth", "Depth, %"}},
              {},
              {}};
  std::vector<std::pair<std::pair<Subject, std::string>, Grid>> grids;
  for (const Subject& subject : subjects(input)) {
    const ReportInput::Run& run = input.runs[subject.run];
    for (const std::string& mode : run.summary.modes) {
      Grid grid = tally(run, subject, mode);
      if (!grid.empty()) grids.emplace_back(std::pair(subject, mode), std::move(grid));
    }
  }
  if (grids.empty()) return document;
  std::set<std::int64_t> lengths;
  for (const auto& [who, grid] : grids) {
    for (const auto& [length, bins] : grid) lengths.insert(length);
  }
  for (const std::int64_t length : lengths) {
    table.columns.push_back({std::to_string(length), format_length(length), 1});
  }
  for (const auto& [who, grid] : grids) {
    figure.panels.emplace_back(heatmap_of(grid, series_name(who.first, who.second)));
    add_rows(grid, who.first, who.second, table);
  }
  figure.scale_title = "score (0-100)";
  figure.scale_max = 100;
  figure.caption = table.caption =
      "Mean score of the samples whose single needle lies in that tenth of the context (0 % = the "
      "beginning), all needle tasks together. Empty: no such sample.";
  table.folded = true;
  document.figures.push_back(std::move(figure));
  document.tables.push_back(std::move(table));
  return document;
}

}  // namespace elastic::reports
