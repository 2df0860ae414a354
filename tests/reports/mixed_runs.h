#pragma once

// Runs that between them have everything a report tells apart: two models, suites with and without
// lengths, categories, gaps, failures, truncation, times, needles and sources.

#include <string>
#include <utility>
#include <vector>

#include "tests/reports/sample_runs.h"

namespace elastic::reports {

/// A sample whose numbers follow from mode, length and index alone.
inline runs::SampleRecord measured_sample(const std::string& model, const std::string& mode,
                                          const std::string& task, std::int64_t length,
                                          std::int64_t index) {
  const bool dense = mode == "fa" || mode.starts_with("fa:");
  const auto i = static_cast<double>(index), tokens = static_cast<double>(length) + 100;
  const double score = (index + (dense ? 0 : length / 1024)) % 3 == 2 ? 0.25 : 1;
  runs::SampleRecord r = make_sample(mode, task, length, index, score);
  r.model = model;
  r.prompt_sha256 = "0123456789abcdef0123";
  r.prediction = "said <" + std::to_string(index) + ">";
  r.references = {"right", "also | right"};
  r.msr = dense ? 0 : 0.5 + 0.0625 * i;
  r.esr_last_query = dense ? 0 : 0.25 + 0.03125 * i;
  r.esr_last_layer = 0.125 * i;
  r.esr_all_layers = 0.0625 * i;
  r.block_density = 1 - *r.msr / 2;
  r.read_share = dense ? 1 : 0.75 + 0.015625 * i;
  r.fallback_share = mode.starts_with("duo") && length == 1024 ? *r.msr : 0;
  r.prefill_ms = tokens / (dense ? 10 : 16) + i;
  r.attention_ms = *r.prefill_ms * 0.625;
  if (!dense) r.router_ms = 0.5123 + i, r.select_ms = 0.2567 + i / 8;
  r.ttft_ms = *r.prefill_ms + 2;
  r.decode_ms = 40 + i;
  r.output_tokens = 5 + index;
  r.prompt_tokens = length > 0 ? length - 10 : 90 + index;
  r.peak_bytes = (3 + index) << 20;
  r.kv_bytes = 250 + index;
  r.kv_bytes_full = 1000;
  r.batch = 1 + index % 2;
  if (r.batch == 1) r.joules = tokens / (dense ? 8 : 16) + i;
  r.routing = dense ? std::vector<std::string>{"00", "00"}
                    : std::vector<std::string>{index % 2 == 0 ? "01" : "11", "10"};
  r.strata["needle_depth"] = std::to_string(index * 30);
  return r;
}

inline runs::RunData mixed_run(const std::string& folder, const std::vector<std::string>& models,
                               const std::vector<std::int64_t>& lengths) {
  runs::RunData run;
  run.folder = folder;
  run.spec.created = "2026-01-0" + std::to_string(models.size());
  run.spec.settings = {{"seed", std::to_string(lengths.size())},
                       {"dtype", "fp32"},
                       {"profile_ruler", "ruler@" + folder},
                       {"profile_longbench", "official"}};
  run.spec.environment = {{"device", folder + " device"}, {"host", "h"}};
  run.spec.modes = {"fa", "fa-ssa"};
  if (models.size() > 1) run.spec.modes.emplace_back("duo:sparsity=0.5");
  run.spec.tasks = {"ruler/niah",     "ruler/vt",         "longbench/qasper",
                    "longbench/trec", "longbench/hotpot", "lone"};
  run.spec.categories = {{"longbench/qasper", "QA"},
                         {"longbench/hotpot", "QA"},
                         {"longbench/trec", "few-shot"},
                         {"ruler/vt", "tracing"}};
  run.spec.source_ids = {{"data.json", "hash of " + folder}, {"words.txt", "w"}};
  run.spec.licences = {{"words.txt", "MIT"}};
  for (const std::string& model : models) {
    for (const std::string& mode : run.spec.modes) {
      for (const std::string& task : run.spec.tasks) {
        const bool by_length = runs::suite_of(task) == "ruler";
        for (const std::int64_t length : by_length ? lengths : std::vector<std::int64_t>{0}) {
          if (mode.starts_with("duo") && task == "ruler/vt") continue;
          for (std::int64_t i = 0; i < (task == "ruler/niah" ? 6 : 2); ++i) {
            run.samples.push_back(measured_sample(model, mode, task, length, i));
            run.samples.back().key = std::to_string(run.samples.size());
          }
          run.spec.data_ids[{task, length}] = task + folder;
        }
      }
    }
  }
  return run;
}

/// Two runs: one of two models with gaps and failures, one of five lengths.
inline std::vector<runs::RunData> mixed_runs() {
  std::vector<runs::RunData> runs{mixed_run("a", {"m", "n"}, {1024, 4096}),
                                  mixed_run("b", {"m"}, {1024, 2048, 4096, 8192, 16384})};
  runs::RunData& a = runs[0];
  a.notes = {"a note"};
  a.spec.planned = {{{"fa", "ruler/vt", 1024}, 9}};
  a.samples[1].outcome = runs::Outcome::kOom;
  a.samples[1].error = "out of memory";
  a.samples[2].truncated_tokens = 12;
  a.samples[3].score.reset();
  a.samples[4].routing.clear();
  a.samples[5].msr.reset();
  a.samples[6].prefill_ms.reset();
  runs[1].spec.environment.erase("device");
  runs[1].spec.settings["device"] = "b's own";
  runs[1].spec.licences.clear();
  return runs;
}

}  // namespace elastic::reports
