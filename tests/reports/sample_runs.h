#pragma once

// Runs for report tests: the fixture folder, samples made in memory, and a run's report by file.

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/registry.h"
#include "reports/input.h"
#include "reports/registry.h"
#include "reports/render/render.h"
#include "runs/run_store.h"
#include "tests/testing/folders.h"

namespace elastic::reports {

inline const std::map<std::string, std::string> kSuiteTitles = {{"ruler", "RULER"},
                                                                {"longbench", "LongBench"}};

/// tests/data/reports/run: two tasks, two lengths, three modes, three samples each; some are
/// missing and some ended in an error.
inline runs::RunData fixture_run() { return runs::read_run(testing::fixture("reports/run")); }

inline runs::SampleRecord make_sample(std::string mode, std::string task, std::int64_t length,
                                      std::int64_t index, double score) {
  runs::SampleRecord record;
  record.model = "m";
  record.mode = std::move(mode);
  record.task = std::move(task);
  record.length = length;
  record.index = index;
  record.score = score;
  record.metric = "string_match_all";
  record.msr = 0.5;
  record.prefill_ms = 10;
  record.routing = {"01", "11"};
  return record;
}

inline ReportInput input_of(runs::RunData run) {
  std::vector<runs::RunData> runs;
  runs.push_back(std::move(run));
  return make_input(std::move(runs), kSuiteTitles);
}

/// Of the report `name`.
inline Document document_of(std::string_view name, const ReportInput& input) {
  return find_entry(reports(), "report", name).build(input);
}

/// Every file of the report but its figures, by path.
inline std::map<std::string, std::string> report_files(runs::RunData run) {
  const ReportInput input = input_of(std::move(run));
  const std::vector<Document> documents = build_documents(input);
  std::map<std::string, std::string> files;
  for (const auto& renderer : {render_csv, render_json, render_markdown, render_latex}) {
    for (OutputFile& file : renderer(documents)) files[file.path] = std::move(file.bytes);
  }
  files["report.html"] = render_html(input, documents, "").bytes;
  return files;
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace elastic::reports
