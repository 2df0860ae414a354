#pragma once

// The array of reports, in the order a reader meets them. A report is a function from runs to a
// document; it never throws for missing data: what cannot be shown is left out.

#include <span>
#include <vector>

#include "reports/document.h"
#include "reports/input.h"

namespace elastic::reports {

struct Report {
  const char* name;  // also its document's id
  const char* summary;
  Document (*build)(const ReportInput& input);
};

std::span<const Report> reports();

/// Every registered report over the same input.
std::vector<Document> build_documents(const ReportInput& input);

// Those that are also shown on their own.
Document overview_document(const ReportInput& input);
Document scores_document(const ReportInput& input);
Document results_document(const ReportInput& input);
Document sparsification_document(const ReportInput& input);

}  // namespace elastic::reports
