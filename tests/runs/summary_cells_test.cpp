// A whole summary, cell by cell, of a run with everything in it: two models, suites with and
// without lengths, categories, failures, truncation, samples that are missing.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

#include "runs/summary.h"

namespace elastic::runs {
namespace {

std::string shown(const std::optional<double>& value) {
  return value ? fmt::format("{:.6g}", *value) : "-";
}

std::string shown(const std::optional<Spread>& s) {
  if (!s) return "-";
  return fmt::format("{:.6g}/{:.6g}/{:.6g}/{:.6g}x{}", s->p50, s->p95, s->min, s->max, s->n);
}

std::string shown(const std::optional<Estimate>& e) {
  if (!e) return "no score";
  const std::string interval =
      e->interval ? fmt::format("[{:.4f}, {:.4f}]", e->interval->low, e->interval->high) : "[]";
  return fmt::format("{:.4f} {} n {} {}", e->value, interval, e->n, e->rule);
}

// A cell in four lines: who, what it scored, its sparsity, its times.
std::string shown(const Cell& c) {
  const Sparsity& s = c.sparsity;
  const Latency& t = c.latency;
  std::string samples;
  for (const std::size_t i : c.samples) samples += fmt::format(" {}", i);
  return fmt::format(
      "{} {} {} {} ({}) {}\n  {}; {} of {}, {} failed, {} truncated by {}, samples{}\n"
      "  msr {} esr {} {} {} density {} pv {} read {} cache {} fallback {}\n"
      "  prefill {} ttft {} tpot {} batch {} router {} select {} attention {} rest {} tokens {} "
      "peak {}\n",
      c.model, c.mode, c.task, c.length, c.category, c.metric.empty() ? "-" : c.metric,
      shown(c.score), c.scored, c.planned, c.failed, c.truncated, c.truncated_tokens, samples,
      shown(s.msr), shown(s.esr_last_query), shown(s.esr_last_layer), shown(s.esr_all_layers),
      shown(s.block_density), shown(s.pv_density), shown(s.read_share), shown(s.cache_share),
      shown(s.fallback_share), shown(t.prefill), shown(t.ttft), shown(t.tpot), shown(t.batch),
      shown(t.router), shown(t.select), shown(t.attention), shown(t.rest), shown(t.prompt_tokens),
      t.peak_bytes.value_or(-1));
}

std::string shown(const std::vector<Cell>& cells) {
  std::string text;
  for (const Cell& cell : cells) text += shown(cell);
  return text;
}

SampleRecord scored(std::string mode, std::string task, std::int64_t length, std::int64_t index,
                    double score) {
  SampleRecord r;
  r.model = "m";
  r.mode = std::move(mode);
  r.task = std::move(task);
  r.length = length;
  r.index = index;
  r.metric = "match";
  r.score = score;
  return r;
}

// The n-th sample's numbers, all unlike.
void measure(SampleRecord& r, int n) {
  r.msr = 0.1 * n;
  r.esr_last_query = 0.2 + 0.01 * n;
  r.esr_last_layer = 0.3 + 0.01 * n;
  r.esr_all_layers = 0.4 + 0.01 * n;
  r.block_density = 0.5 + 0.01 * n;
  r.pv_density = 0.6 + 0.01 * n;
  r.read_share = 0.3 + 0.01 * n;
  r.fallback_share = 0.7 + 0.01 * n;
  r.kv_bytes = 100 * n;
  r.kv_bytes_full = 1000;
  r.prefill_ms = 100 + 10 * n;
  r.attention_ms = 50 + n;
  r.router_ms = 3 + n;
  r.select_ms = 1 + n;
  r.ttft_ms = 120 + 10 * n;
  r.decode_ms = 90 + n;
  r.output_tokens = 11;
  r.batch = n;
  r.prompt_tokens = 1000 + n;
  r.peak_bytes = 5000 - 100 * n;
  r.truncated_tokens = n - 1;
}

RunData everything() {
  RunData run;
  const auto add = [&run](SampleRecord r, int n = 0) {
    if (n > 0) measure(r, n);
    run.samples.push_back(std::move(r));
  };
  run.spec.modes = {"fa", "fa-ssa"};
  run.spec.categories = {{"longbench/qa", "QA"}, {"longbench/more", "QA"}, {"longbench/sum", "S"}};
  run.spec.planned = {{{"fa", "ruler/b", 2048}, 4}, {{"fa", "ruler/a", 1024}, 1}};
  add(scored("fa", "ruler/a", 1024, 0, 1), 1);
  add(scored("fa", "ruler/a", 1024, 1, 0), 2);
  add(scored("fa", "ruler/b", 1024, 0, 0.5), 4);
  add(scored("fa", "ruler/b", 2048, 0, 0.25));
  add(scored("fa", "longbench/qa", 0, 0, 0.75), 3);
  add(scored("fa", "longbench/qa", 0, 1, 0.25));
  add(scored("fa", "longbench/more", 0, 0, 1));
  add(scored("fa", "longbench/sum", 0, 0, 0));
  run.samples.back().metric = "rouge";
  add(scored("fa", "plain", 0, 0, 1));
  SampleRecord failed = scored("fa", "ruler/a", 1024, 2, 1);
  failed.outcome = Outcome::kOom;
  add(std::move(failed));
  add(scored("fa", "ruler/a", 1024, 3, std::numeric_limits<double>::infinity()));
  for (int i = 0; i < 2; ++i) {  // one document
    SampleRecord r = scored("fa-ssa", "ruler/a", 1024, i, 1);
    r.strata["document"] = "d";
    add(std::move(r));
  }
  SampleRecord other = scored("fa", "ruler/a", 1024, 0, 1);
  other.model = "n";
  add(std::move(other));
  return run;
}

TEST(SummaryCells, NamesOfARunWithEverything) {
  const Summary s = summarise(everything());
  using Names = std::vector<std::string>;
  EXPECT_EQ(s.models, (Names{"m", "n"}));
  EXPECT_EQ(s.modes, (Names{"fa", "fa-ssa"}));
  EXPECT_EQ(s.tasks, (Names{"ruler/a", "ruler/b", "longbench/qa", "longbench/more", "longbench/sum",
                            "plain"}));
  EXPECT_EQ(s.suites, (Names{"ruler", "longbench", "plain"}));
  EXPECT_EQ(s.lengths, (std::vector<std::int64_t>{1024, 2048}));
}

TEST(SummaryCells, EveryCellOfARunWithEverything) {
  EXPECT_EQ(shown(summarise(everything()).cells), R"(m fa ruler/a 1024 () match
  0.5000 [0.0945, 0.9055] n 2 mean of samples, Wilson interval; 2 of 4, 1 failed, 1 truncated by 1, samples 0 1 9 10
  msr 0.15 esr 0.215 0.315 0.415 density 0.515 pv 0.615 read 0.315 cache 0.15 fallback 0.715
  prefill 115/119.5/110/120x2 ttft 135/139.5/130/140x2 tpot 9.15/9.195/9.1/9.2x2 batch 1.5/1.95/1/2x2 router 4.5 select 2.5 attention 51.5 rest 56.5 tokens 1001.5 peak 4900
m fa ruler/b 1024 () match
  0.5000 [0.0546, 0.9454] n 1 mean of samples, Wilson interval; 1 of 1, 0 failed, 1 truncated by 3, samples 2
  msr 0.4 esr 0.24 0.34 0.44 density 0.54 pv 0.64 read 0.34 cache 0.4 fallback 0.74
  prefill 140/140/140/140x1 ttft 160/160/160/160x1 tpot 9.4/9.4/9.4/9.4x1 batch 4/4/4/4x1 router 7 select 5 attention 54 rest 74 tokens 1004 peak 4600
m fa ruler/b 2048 () match
  0.2500 [0.0146, 0.8821] n 1 mean of samples, Wilson interval; 1 of 4, 0 failed, 0 truncated by 0, samples 3
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
m fa longbench/qa 0 (QA) match
  0.5000 [0.0945, 0.9055] n 2 mean of samples, Wilson interval; 2 of 2, 0 failed, 1 truncated by 2, samples 4 5
  msr 0.3 esr 0.23 0.33 0.43 density 0.53 pv 0.63 read 0.33 cache 0.3 fallback 0.73
  prefill 130/130/130/130x1 ttft 150/150/150/150x1 tpot 9.3/9.3/9.3/9.3x1 batch 3/3/3/3x1 router 6 select 4 attention 53 rest 67 tokens 1003 peak 4700
m fa longbench/more 0 (QA) match
  1.0000 [0.2065, 1.0000] n 1 mean of samples, Wilson interval; 1 of 1, 0 failed, 0 truncated by 0, samples 6
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
m fa longbench/sum 0 (S) rouge
  0.0000 [0.0000, 0.7935] n 1 mean of samples, Wilson interval; 1 of 1, 0 failed, 0 truncated by 0, samples 7
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
m fa plain 0 () match
  1.0000 [0.2065, 1.0000] n 1 mean of samples, Wilson interval; 1 of 1, 0 failed, 0 truncated by 0, samples 8
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
m fa-ssa ruler/a 1024 () match
  1.0000 [0.2065, 1.0000] n 2 mean of samples, Wilson interval over 1 documents; 2 of 2, 0 failed, 0 truncated by 0, samples 11 12
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
n fa ruler/a 1024 () match
  1.0000 [0.2065, 1.0000] n 1 mean of samples, Wilson interval; 1 of 1, 0 failed, 0 truncated by 0, samples 13
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
n fa ruler/b 2048 () -
  no score; 0 of 4, 0 failed, 0 truncated by 0, samples
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
)");
}

TEST(SummaryCells, EveryAggregateOfARunWithEverything) {
  const Summary s = summarise(everything());
  EXPECT_EQ(shown(s.by_length), R"(m fa ruler 1024 () match
  0.5000 [0.1988, 0.8012] n 3 unweighted mean of 2 tasks; 3 of 5, 1 failed, 2 truncated by 4, samples 0 1 9 10 2
  msr 0.275 esr 0.2275 0.3275 0.4275 density 0.5275 pv 0.6275 read 0.3275 cache 0.275 fallback 0.7275
  prefill 120/138/110/140x3 ttft 140/158/130/160x3 tpot 9.2/9.38/9.1/9.4x3 batch 2/3.8/1/4x3 router 5 select 3 attention 52 rest 60 tokens 1002 peak 4900
m fa ruler 2048 () match
  0.2500 [0.0146, 0.8821] n 1 mean of samples, Wilson interval; 1 of 4, 0 failed, 0 truncated by 0, samples 3
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
m fa-ssa ruler 1024 () match
  1.0000 [0.2065, 1.0000] n 2 mean of samples, Wilson interval over 1 documents; 2 of 2, 0 failed, 0 truncated by 0, samples 11 12
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
n fa ruler 1024 () match
  1.0000 [0.2065, 1.0000] n 1 mean of samples, Wilson interval; 1 of 1, 0 failed, 0 truncated by 0, samples 13
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
n fa ruler 2048 () -
  no score; 0 of 4, 0 failed, 0 truncated by 0, samples
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
)");
  EXPECT_EQ(shown(s.overall), R"(m fa ruler 0 () match
  0.3750 [0.1839, 0.7251] n 4 unweighted mean of 2 lengths; 4 of 9, 1 failed, 2 truncated by 4, samples 0 1 9 10 2 3
  msr 0.275 esr 0.2275 0.3275 0.4275 density 0.5275 pv 0.6275 read 0.3275 cache 0.275 fallback 0.7275
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak 4900
m fa-ssa ruler 0 () match
  1.0000 [0.2065, 1.0000] n 2 mean of samples, Wilson interval over 1 documents; 2 of 2, 0 failed, 0 truncated by 0, samples 11 12
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
n fa ruler 0 () -
  1.0000 [0.2065, 1.0000] n 1 mean of samples, Wilson interval (of 2; the others have no score yet); 1 of 5, 0 failed, 0 truncated by 0, samples 13
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
m fa longbench 0 () -
  0.5000 [0.2030, 0.7970] n 4 unweighted mean of 3 tasks; 4 of 4, 0 failed, 1 truncated by 2, samples 4 5 6 7
  msr 0.3 esr 0.23 0.33 0.43 density 0.53 pv 0.63 read 0.33 cache 0.3 fallback 0.73
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak 4700
m fa plain 0 () match
  1.0000 [0.2065, 1.0000] n 1 mean of samples, Wilson interval; 1 of 1, 0 failed, 0 truncated by 0, samples 8
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
)");
  EXPECT_EQ(shown(s.by_category), R"(m fa longbench 0 (QA) match
  0.7500 [0.3045, 0.9527] n 3 unweighted mean of 2 tasks; 3 of 3, 0 failed, 1 truncated by 2, samples 4 5 6
  msr 0.3 esr 0.23 0.33 0.43 density 0.53 pv 0.63 read 0.33 cache 0.3 fallback 0.73
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak 4700
m fa longbench 0 (S) rouge
  0.0000 [0.0000, 0.7935] n 1 mean of samples, Wilson interval; 1 of 1, 0 failed, 0 truncated by 0, samples 7
  msr - esr - - - density - pv - read - cache - fallback -
  prefill - ttft - tpot - batch - router - select - attention - rest - tokens - peak -1
)");
}

// A run that was planned and did nothing yet has its cells, under the model of its settings.
TEST(SummaryCells, APlanWithoutSamplesHasCells) {
  RunData run;
  EXPECT_TRUE(summarise(run).models.empty());
  run.spec.planned = {{{"fa", "ruler/a", 1024}, 3}, {{"ssa", "ruler/a", 1024}, 2}};
  EXPECT_EQ(summarise(run).models, std::vector<std::string>{""});
  run.spec.settings = {{"model", "planned"}};
  const Summary s = summarise(run);
  EXPECT_EQ(s.models, std::vector<std::string>{"planned"});
  ASSERT_EQ(s.cells.size(), 2u);
  EXPECT_EQ(s.cells[0].planned, 3);
  EXPECT_EQ(s.cells[0].model, "planned");
  EXPECT_EQ(s.cells[1].planned, 2);
  EXPECT_EQ(s.overall.at(1).planned, 2);
  EXPECT_FALSE(s.overall.at(0).score);
}

TEST(SummaryCells, AMissingTaskIsSaidInTheRule) {
  RunData run;
  run.spec.planned = {{{"fa", "ruler/c", 1024}, 1}};
  run.samples.push_back(scored("fa", "ruler/a", 1024, 0, 1));
  run.samples.push_back(scored("fa", "ruler/b", 1024, 0, 0));
  EXPECT_EQ(summarise(run).by_length.at(0).score->rule,
            "unweighted mean of 2 tasks (of 3; the others have no score yet)");
  EXPECT_EQ(summarise(run).by_length.at(0).metric, "") << "the missing one's is not known";
}

TEST(SummaryCells, CacheShareNeedsBothNumbers) {
  RunData run;
  run.samples.push_back(scored("fa", "a", 0, 0, 1));
  SampleRecord& r = run.samples[0];
  const auto kept = [&run] { return summarise(run).cells[0].sparsity.cache_share; };
  r.kv_bytes = 1;
  EXPECT_FALSE(kept());
  r.kv_bytes_full = 0;
  EXPECT_FALSE(kept());
  r.kv_bytes_full = 1;
  EXPECT_EQ(kept(), 1);
  r.kv_bytes = 0;
  EXPECT_EQ(kept(), 0);
  r.kv_bytes.reset();
  EXPECT_FALSE(kept());
}

TEST(SummaryCells, AreFoundByAllFourNames) {
  const std::vector<Cell> cells = summarise(everything()).cells;
  const Cell* found = find_cell(cells, "m", "fa", "ruler/b", 2048);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->planned, 4);
  EXPECT_EQ(find_cell(cells, "x", "fa", "ruler/b", 2048), nullptr);
  EXPECT_EQ(find_cell(cells, "m", "xa", "ruler/b", 2048), nullptr);
  EXPECT_EQ(find_cell(cells, "m", "fa", "ruler/x", 2048), nullptr);
  EXPECT_EQ(find_cell(cells, "m", "fa", "ruler/b", 4096), nullptr);
}

}  // namespace
}  // namespace elastic::runs
