#include "reports/registry.h"

namespace elastic::reports {

Document modes_document(const ReportInput& input);
Document pareto_document(const ReportInput& input);
Document strata_document(const ReportInput& input);
Document prompts_document(const ReportInput& input);
Document published_document(const ReportInput& input);
Document needle_depth_document(const ReportInput& input);
Document head_routing_document(const ReportInput& input);
Document routed_against_fixed_document(const ReportInput& input);
Document latency_document(const ReportInput& input);
Document provenance_document(const ReportInput& input);

namespace {
constexpr Report kReports[] = {
    {"overview", "modes at a glance", overview_document},
    {"modes", "what the modes compute, with their options", modes_document},
    {"pareto", "score against MSR and prefill speed-up", pareto_document},
    {"scores", "score by task and length", scores_document},
    {"strata", "score by length bucket, difficulty, language, ...", strata_document},
    {"needle_depth", "score by needle depth and length", needle_depth_document},
    {"head_routing", "which heads the router made sparse", head_routing_document},
    {"routed_against_fixed", "what routing buys at equal MSR", routed_against_fixed_document},
    {"sparsification", "score against MSR as heads turn sparse", sparsification_document},
    {"latency", "times beside the dense baseline", latency_document},
    {"published", "the paper's numbers beside the run's", published_document},
    {"prompts", "length and truncation of the prompts by task", prompts_document},
    {"results", "tidy results for other programs", results_document},
    {"provenance", "data, licences, settings, environment", provenance_document},
};
}  // namespace

std::span<const Report> reports() { return kReports; }

std::vector<Document> build_documents(const ReportInput& input) {
  std::vector<Document> documents;
  for (const Report& report : kReports) documents.push_back(report.build(input));
  return documents;
}

}  // namespace elastic::reports
