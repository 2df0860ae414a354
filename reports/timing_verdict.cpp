#include "reports/timing_verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "reports/cells.h"

namespace elastic::reports {
namespace {

std::string environment_of(const ReportInput::Run& run, const char* key) {
  return value_of(run.data.spec.environment, key);
}

std::optional<runs::Spread> batch_of(const ReportInput::Run& run) {
  std::vector<std::size_t> all(run.data.samples.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return runs::latency_of(run.data, all).batch;
}

// Half the widest 95 % interval of a prefill median, in percent of it; nothing where a cell with
// times has too few for one.
std::optional<double> widest_interval(const ReportInput::Run& run) {
  std::optional<double> widest;
  for (const runs::Cell& cell : run.summary.cells) {
    std::vector<double> times;
    for (const std::size_t i : cell.samples) {
      if (run.data.samples[i].prefill_ms) times.push_back(*run.data.samples[i].prefill_ms);
    }
    if (times.empty()) continue;
    const auto interval = runs::median_interval(times);
    const double median = runs::median(times);
    if (!interval || median <= 0) return std::nullopt;
    widest = std::max(widest.value_or(0), 50 * (interval->high - interval->low) / median);
  }
  return widest;
}

// More was running before the run than the machine has cores: "3.46 on 2 cores".
bool overloaded(const std::string& load) {
  const std::vector<std::string_view> words = split(load, ' ');
  if (words.size() < 3) return false;
  const auto running = parse_double(words[0]), cores = parse_double(words[2]);
  return running && cores && *cores > 0 && *running > *cores;
}

std::string batch_words(const std::optional<runs::Spread>& batch) {
  if (!batch) return "";
  return batch->min == batch->max ? fmt::format("{:.0f}", batch->max)
                                  : fmt::format("{:.0f}-{:.0f}", batch->min, batch->max);
}

}  // namespace

bool has_times(const ReportInput::Run& run) {
  return std::any_of(run.data.samples.begin(), run.data.samples.end(),
                     [](const auto& sample) { return sample.prefill_ms || sample.ttft_ms; });
}

std::vector<std::string> timing_faults(const ReportInput::Run& run) {
  std::vector<std::string> faults;
  const auto batch = batch_of(run);
  if (!batch) {
    faults.emplace_back("unknown whether samples ran alone");
  } else if (batch->max > 1) {
    faults.push_back(
        fmt::format("up to {:.0f} sequences in flight: times are throughput; --timing "
                    "takes latencies",
                    batch->max));
  } else if (environment_of(run, "timing") == "no") {
    faults.emplace_back("taken without --timing: no warm-up of each mode");
  }
  if (environment_of(run, "timing").find('|') != std::string::npos) {
    faults.emplace_back("invocations with and without --timing are mixed");
  }
  for (const char* key : {"timing_faults", "gpu_spoiled_by"}) {
    if (std::string said = environment_of(run, key); !said.empty()) {
      faults.push_back(std::move(said));
    }
  }
  for (const char* key : {"device", "accelerator", "cpu", "commit", "build_flags"}) {
    if (environment_of(run, key).find(" | ") == std::string::npos) continue;
    faults.push_back(fmt::format("invocations differ in {}: {}", key, environment_of(run, key)));
  }
  if (const std::string load = environment_of(run, "load_average"); overloaded(load)) {
    faults.push_back("the machine was busy before: load " + load);
  }
  if (runs::dense_mode(run.summary.modes).empty()) {
    faults.emplace_back("no dense baseline in the run");
  }
  return faults;
}

Table timing_table(const ReportInput& input) {
  Table table{"timing", "Timing verdict", "", {}, {}, {}};
  const bool several = input.runs.size() > 1;
  if (several) table.columns.push_back({"run", "Run"});
  for (Column column : std::vector<Column>{{"verdict", "Verdict"},
                                           {"because", "Because"},
                                           {"attention_kernel", "Attention kernel"},
                                           {"device", "Device"},
                                           {"batch", "Batch"},
                                           {"load_average", "Load before"},
                                           {"gpu_meanwhile", "GPU meanwhile"},
                                           {"median_known_to", "Medians to ± %", 1}}) {
    table.columns.push_back(std::move(column));
  }
  for (const ReportInput::Run& run : input.runs) {
    if (!has_times(run)) continue;
    const std::vector<std::string> faults = timing_faults(run);
    std::vector<Cell> row;
    if (several) row.push_back(cell(run.name));
    row.push_back(cell(std::string(faults.empty() ? "VALID" : "INVALID")));
    row.back().strong = !faults.empty();
    for (const std::string& text :
         {join(faults, "; "), environment_of(run, "attention_kernel"),
          environment_of(run, "device"), batch_words(batch_of(run)),
          environment_of(run, "load_average"), environment_of(run, "gpu_meanwhile")}) {
      row.push_back(cell(text_or_null(text)));
    }
    row.push_back(cell(number(widest_interval(run), 1, 2)));
    table.rows.push_back(std::move(row));
  }
  table.caption =
      "VALID: every sample ran alone and after a warm-up, with the kernels asked for, beside the "
      "dense mode, on one build and machine with cores to spare. Load before: the machine's "
      "one-minute average when the "
      "run began. Medians: half the widest 95 % interval of a prefill median over tasks, lengths "
      "and modes; a dash where a cell has under six samples. Tokenising, loading and sampling are "
      "in no time.";
  return table;
}

std::string timing_verdicts(const ReportInput& input) {
  std::vector<std::string> said;
  for (const ReportInput::Run& run : input.runs) {
    if (!has_times(run)) continue;
    const std::vector<std::string> faults = timing_faults(run);
    const std::string of = input.runs.size() > 1 ? " of " + run.name : "";
    said.push_back(faults.empty() ? fmt::format("Timing{} VALID.", of)
                                  : fmt::format("Timing{} INVALID: {}.", of, join(faults, "; ")));
  }
  return join(said, " ");
}

}  // namespace elastic::reports
