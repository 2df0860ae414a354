// Every file of a report of the fixture run against tests/data/reports/expected. After an intended
// change: ELASTIC_UPDATE_GOLDENS=1 build/reports_tests, then read the difference before committing.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "reports/ablation.h"
#include "reports/input.h"
#include "reports/registry.h"
#include "reports/render/render.h"
#include "reports/task_similarity.h"
#include "tests/reports/drawn_documents.h"
#include "tests/reports/mixed_runs.h"
#include "tests/reports/sample_runs.h"

namespace elastic::reports {
namespace {

namespace fs = std::filesystem;

// The page without its style sheet, scripts and their hashes, which are the same in every report.
std::string without_assets(std::string html) {
  for (const auto& [open, close] : std::vector<std::pair<std::string, std::string>>{
           {"<style>", "</style>"}, {"<script>", "</script>"}, {"script-src", "\">"}}) {
    const std::size_t begin = html.find(open);
    const std::size_t end = html.find(close, begin);
    if (begin == std::string::npos || end == std::string::npos) continue;
    html.erase(begin + open.size(), end - begin - open.size());
  }
  return html;
}

std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + 1)) {
    ++n;
  }
  return n;
}

// Every format of the documents, figures as files of their own only where `figures`.
std::vector<OutputFile> files_of(const ReportInput& input, const std::vector<Document>& documents,
                                 bool figures) {
  std::vector<OutputFile> files;
  std::vector<std::vector<OutputFile> (*)(std::span<const Document>)> renderers{
      render_csv, render_json, render_markdown, render_latex, render_sql};
  if (figures) renderers.insert(renderers.end(), {render_svg, render_vega_lite});
  for (const auto& render : renderers) {
    for (OutputFile& file : render(documents)) files.push_back(std::move(file));
  }
  files.push_back(render_html(input, documents, ""));
  files.back().bytes = without_assets(std::move(files.back().bytes));
  return files;
}

std::vector<OutputFile> all_files() {
  const ReportInput input = make_input({fixture_run()}, kSuiteTitles);
  return files_of(input, build_documents(input), false);
}

// Holds files against those of tests/data/reports/<name>, or writes these.
void expect_goldens(const char* name, const std::vector<OutputFile>& files) {
  const fs::path folder = testing::fixture("reports") / name;
  if (std::getenv("ELASTIC_UPDATE_GOLDENS") != nullptr) {
    fs::remove_all(folder);
    for (const OutputFile& file : files) {
      create_folders((folder / file.path).parent_path());
      write_file_atomic(folder / file.path, file.bytes);
    }
    GTEST_SKIP() << files.size() << " goldens written";
  }
  std::set<std::string> names;
  for (const OutputFile& file : files) {
    names.insert(file.path);
    ASSERT_TRUE(fs::exists(folder / file.path)) << file.path;
    EXPECT_EQ(file.bytes, read_file(folder / file.path)) << file.path;
  }
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const std::string path = entry.path().lexically_relative(folder).string();
    EXPECT_TRUE(names.contains(path)) << path << " is no longer written";
  }
}

TEST(Goldens, EveryFileOfTheFixtureReport) { expect_goldens("expected", all_files()); }

// Two runs side by side: two models, suites with and without lengths, gaps and failures.
TEST(Goldens, EveryFileOfAReportOfTwoRuns) {
  const ReportInput input = make_input(mixed_runs(), kSuiteTitles);
  expect_goldens("mixed", files_of(input, build_documents(input), false));
}

// What no report draws today and every renderer must draw right nevertheless.
TEST(Goldens, EveryFileOfDrawnDocuments) {
  expect_goldens("drawn", files_of({}, drawn_documents(), true));
}

// An ablation that the paper has and one that it has not: three settings, one without scores.
TEST(Goldens, Ablations) {
  runs::RunData sparser = fixture_run();
  for (runs::SampleRecord& sample : sparser.samples) {
    if (sample.msr) *sample.msr = .5 + *sample.msr / 2;
    if (sample.score && sample.index == 0) *sample.score /= 2;
  }
  runs::RunData empty = fixture_run();
  empty.samples.clear();
  sparser.folder = "sparser", empty.folder = "empty";
  const ReportInput input =
      make_input({fixture_run(), std::move(sparser), std::move(empty)}, kSuiteTitles);
  std::string steps = "step,lm,msr\n";
  for (int step = 1; step <= 20; ++step)
    steps += fmt::format("{},{},0.{}\n", step, 40 - step, step + 10);
  const TrainingCurves curves = parse_training_curves(steps, "curves.csv");
  std::vector<Document> documents;
  for (const char* name : {"our-own", "target-sparsity"}) {
    const Ablation ablation{
        name, "fa-ssa", 0, {{"0.7", 1, curves}, {"0.4", 0, {}}, {"all", 2, {}}}};
    documents.push_back(ablation_document(ablation, input));
  }
  std::vector<OutputFile> files;
  for (const auto& render : {render_csv, render_svg}) {
    for (OutputFile& file : render(documents)) files.push_back(std::move(file));
  }
  for (const auto& render : {render_markdown, render_latex}) {
    for (OutputFile& file : render(std::span(documents).last(1))) files.push_back(std::move(file));
  }
  expect_goldens("ablations", files);
}

TEST(Goldens, TaskSimilarity) {
  const std::vector<TaskFeatures> tasks{
      {"ruler/vt", {{1, 2, 0.5F}, {0.25F, 1, 3}}, {{1, 0, 0.125F}, {2, 0.5F, 0}}},
      {"ruler/cwe", {{1, 2, 1}, {2, 4, 0.75F}}, {{-1, 0, 0.5F}, {-1, 0.25F, 0}}},
      {"longbench/trec", {{3, 1, 0.375F}}, {{0.5F, 1, 1}}}};
  const std::vector<Document> documents = {task_similarity_document(
      {task_similarity("demo", 0, tasks), task_similarity("demo", 7, tasks)})};
  std::vector<OutputFile> files;
  for (const auto& render : {render_csv, render_svg, render_markdown}) {
    for (OutputFile& file : render(documents)) files.push_back(std::move(file));
  }
  expect_goldens("similarity", files);
}

// What a figure's file adds to the drawings of the page, which are goldens already.
TEST(Goldens, FiguresAreFilesOfTheirOwn) {
  const std::vector<Document> documents =
      build_documents(make_input({fixture_run()}, kSuiteTitles));
  std::size_t figures = 0;
  for (const Document& document : documents) figures += document.figures.size();
  const std::vector<OutputFile> files = render_svg(documents);
  ASSERT_EQ(files.size(), figures);
  ASSERT_GT(figures, 0u);
  for (const OutputFile& file : files) {
    SCOPED_TRACE(file.path);
    EXPECT_TRUE(file.path.starts_with("figures/") && file.path.ends_with(".svg"));
    EXPECT_EQ(file.bytes.find("var("), std::string::npos);  // colours are written out
    EXPECT_NE(file.bytes.find("svg .tick { fill: #5c6670;"), std::string::npos);
    const auto count = [&](std::string_view text) { return occurrences(file.bytes, text); };
    EXPECT_EQ(count("<svg "), count("</svg>"));
    EXPECT_GE(count("<svg "), 2u);
  }
}

TEST(Goldens, ColumnsOfTheContract) {
  std::map<std::string, std::string> heads;
  for (const OutputFile& file : all_files()) {
    heads[file.path] = file.bytes.substr(0, file.bytes.find('\n'));
  }
  EXPECT_EQ(heads["results.csv"],
            "model,mode,task,category,length,metric,value,ci_low,ci_high,n,planned,msr,esr,"
            "ttft_ms_p50,ttft_ms_p95,tpot_ms_p50,peak_bytes,esr_last_layer,esr_all_layers,"
            "block_density,token_density,pv_density,read_share,cache_share,prefill_ms_p50,"
            "select_ms_p50,fallback_share,joules_per_sample,joules_per_token");
  EXPECT_EQ(heads["pareto.csv"],
            "model,mode,suite,score,msr,prefill_speedup_vs_fa,on_front,token_density,read_share");
  EXPECT_EQ(heads["head_routing.csv"], "task,length,layer,kv_head,sparse_share,n");
}

TEST(Goldens, PageRefersToNothingOutside) {
  const std::vector<OutputFile> files = all_files();
  const OutputFile& page = files.back();
  ASSERT_EQ(page.path, "report.html");
  for (const char* reference : {"src=\"http", "href=\"http", "url(", "@import", "<link", "<img"}) {
    EXPECT_EQ(page.bytes.find(reference), std::string::npos) << reference;
  }
}

}  // namespace
}  // namespace elastic::reports
