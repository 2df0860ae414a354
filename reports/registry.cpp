#include "reports/registry.h"

namespace elastic::reports {

std::unique_ptr<Report> make_overview();
std::unique_ptr<Report> make_pareto();
std::unique_ptr<Report> make_score_table();
std::unique_ptr<Report> make_needle_depth();
std::unique_ptr<Report> make_head_routing();
std::unique_ptr<Report> make_latency_table();
std::unique_ptr<Report> make_results();
std::unique_ptr<Report> make_provenance();

namespace {
constexpr ReportEntry kReports[] = {
    {"overview", "modes at a glance", make_overview},
    {"pareto", "score against MSR and prefill speed-up", make_pareto},
    {"scores", "score by task and length", make_score_table},
    {"needle_depth", "score by needle depth and length", make_needle_depth},
    {"head_routing", "which heads the router made sparse", make_head_routing},
    {"latency", "times beside the dense baseline", make_latency_table},
    {"results", "tidy results for other programs", make_results},
    {"provenance", "data, licences, settings, environment", make_provenance},
};
}  // namespace

std::span<const ReportEntry> reports() { return kReports; }

std::vector<Document> build_documents(const ReportInput& input) {
  std::vector<Document> documents;
  for (const ReportEntry& entry : kReports) documents.push_back(entry.make()->build(input));
  return documents;
}

}  // namespace elastic::reports
