#pragma once

// Run folders to a folder of report files: what `elastic-bench report` and the end of
// `elastic-bench run` do.
//
//   const ReportInput input = make_input(std::move(runs), suite_titles);
//   const auto written = write_report(input, {.output = "out"});

#include <filesystem>
#include <string>
#include <vector>

#include "reports/document.h"
#include "reports/input.h"

namespace elastic::reports {

/// html, csv, ...: all there are.
std::vector<std::string> format_names();

struct WriteOptions {
  std::filesystem::path output;
  std::vector<std::string> formats = format_names();
  std::filesystem::path plotly_js;  // plotly.min.js to embed; absent or empty: SVG figures only
};

/// Every file atomically over an older one; nothing else there is touched. Returns the paths
/// written. Throws kInvalidArgument for an unknown format, kIo where a file cannot be written.
std::vector<std::filesystem::path> write_documents(const ReportInput& input,
                                                   const WriteOptions& options,
                                                   const std::vector<Document>& documents);

/// The same of all registered reports; `first` are shown before them.
std::vector<std::filesystem::path> write_report(const ReportInput& input,
                                                const WriteOptions& options,
                                                std::vector<Document> first = {});

/// The overview and score tables that are not folded, as padded text, for the end of a run.
std::string summary_text(const ReportInput& input);

}  // namespace elastic::reports
