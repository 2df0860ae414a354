#pragma once

// The array of reports, in the order a reader meets them.

#include <span>
#include <vector>

#include "reports/report.h"

namespace elastic::reports {

struct ReportEntry {
  const char* name;
  const char* summary;
  std::unique_ptr<Report> (*make)();
};

std::span<const ReportEntry> reports();

/// Every registered report over the same input; each document's id is its report's name.
std::vector<Document> build_documents(const ReportInput& input);

}  // namespace elastic::reports
