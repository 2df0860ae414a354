#pragma once

// Run folders to a folder of report files: what `elastic-bench report` and the end of
// `elastic-bench run` do.
//
//   const auto written = write_report(make_input(std::move(runs)), {.output = "out"});

#include <filesystem>
#include <string>
#include <vector>

#include "reports/report.h"

namespace elastic::reports {

struct WriteOptions {
  std::filesystem::path output;
  std::vector<std::string> formats{"html", "csv", "json", "md", "latex"};
  std::filesystem::path plotly_js;  // plotly.min.js to embed; absent or empty: SVG figures only
};

/// Writes every file atomically over an older one and touches nothing else there; `first` are shown
/// before the registered reports. Returns the paths written. Throws kInvalidArgument for an unknown
/// format, kIo where a file cannot be written.
std::vector<std::filesystem::path> write_report(const ReportInput& input,
                                                const WriteOptions& options,
                                                std::vector<Document> first = {});

/// The overview and score tables as padded text, for the end of a run.
std::string summary_text(const ReportInput& input);

}  // namespace elastic::reports
