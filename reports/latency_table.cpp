// Latency by length and mode beside the dense baseline of the same run, with the break-even length.

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "reports/cells.h"
#include "reports/speedup.h"
#include "reports/timing_verdict.h"

namespace elastic::reports {
namespace {

using runs::Spread;

Value p50(const std::optional<Spread>& spread) {
  return spread ? number(spread->p50, 1, 3) : Value();
}
Value p95(const std::optional<Spread>& spread) {
  return spread ? number(spread->p95, 1, 3) : Value();
}

// All tasks of the run at one length and mode.
struct Timed {
  std::string mode;
  std::int64_t length = 0;
  std::vector<std::size_t> samples;
  runs::Latency time;
  std::optional<runs::Estimate> speedup;
};

std::vector<Timed> timed_cells(const ReportInput::Run& run, const std::string& model) {
  std::vector<Timed> out;
  std::vector<std::int64_t> lengths = run.summary.lengths;
  lengths.insert(lengths.begin(), 0);  // suites without lengths
  for (const std::int64_t length : lengths) {
    for (const std::string& mode : run.summary.modes) {
      Timed timed{mode, length, {}, {}, {}};
      for (const runs::Cell& cell : run.summary.cells) {
        if (cell.model != model || cell.mode != mode || cell.length != length) continue;
        timed.samples.insert(timed.samples.end(), cell.samples.begin(), cell.samples.end());
      }
      timed.time = runs::latency_of(run.data, timed.samples);
      timed.speedup = prefill_speedup(run, timed.samples);
      if (timed.time.prefill || timed.time.ttft) out.push_back(std::move(timed));
    }
  }
  return out;
}

// "4", or "1-4" where batches differed: the last of a cell is smaller.
Value batch_text(const std::optional<Spread>& batch) {
  if (!batch) return std::monostate();
  const auto low = static_cast<std::int64_t>(batch->min);
  const auto high = static_cast<std::int64_t>(batch->max);
  return low == high ? fmt::format("{}", high) : fmt::format("{}-{}", low, high);
}

// Whether any sample's energy was counted.
bool has_energy(const ReportInput& input) {
  return std::any_of(input.runs.begin(), input.runs.end(), [](const ReportInput::Run& run) {
    const auto& samples = run.data.samples;
    return std::any_of(samples.begin(), samples.end(),
                       [](const runs::SampleRecord& sample) { return sample.joules.has_value(); });
  });
}

std::vector<Column> latency_columns(bool several, bool energy) {
  std::vector<Column> columns{{"length", "Length"},
                              {"mode", "Mode"},
                              {"n", "n"},
                              {"prompt_tokens", "Prompt", 0},
                              {"prefill_ms_p50", "Prefill p50", 1},
                              {"prefill_ms_p95", "p95", 1},
                              {"speedup", "Speed-up", 2},
                              {"router_ms_p50", "Router", 2},
                              {"select_ms_p50", "Selection", 2},
                              {"attention_ms_p50", "Attention", 1},
                              {"rest_ms", "Rest", 1},
                              {"ttft_ms_p50", "TTFT p50", 1},
                              {"ttft_ms_p95", "p95", 1},
                              {"batch", "Batch"},
                              {"tpot_ms_p50", "TPOT p50", 2},
                              {"peak_mib", "Peak, MiB", 0}};
  if (energy) {
    columns.push_back({"joules_per_sample", "J per sample", 1});
    columns.push_back({"joules_per_token", "J per token", 2});
  }
  if (several) columns.insert(columns.begin(), {"run", "Run"});
  return columns;
}

std::vector<Cell> latency_row(const Timed& timed, const Subject& subject, bool energy) {
  const runs::Latency& time = timed.time;
  std::vector<Cell> row;
  if (!subject.label.empty()) row.push_back(cell(subject.label));
  std::optional<double> peak;
  if (time.peak_bytes) peak = static_cast<double>(*time.peak_bytes) / (1024.0 * 1024.0);
  const std::int64_t n = time.prefill ? time.prefill->n : time.ttft->n;
  const std::size_t first = row.size();
  for (Value value : std::vector<Value>{
           timed.length == 0 ? Value() : Value(format_length(timed.length)), timed.mode, count(n),
           number(time.prompt_tokens, 1, 0), p50(time.prefill), p95(time.prefill), Value(),
           number(time.router, 1, 3), number(time.select, 1, 3), number(time.attention, 1, 3),
           number(time.rest, 1, 3), p50(time.ttft), p95(time.ttft), batch_text(time.batch),
           p50(time.tpot), number(peak, 1, 1)}) {
    row.push_back(cell(std::move(value)));
  }
  if (energy) {
    row.push_back(cell(number(time.joules, 1, 3)));
    row.push_back(cell(number(time.joules_per_token, 1, 3)));
  }
  if (time.prefill) row[first + 4].interval = {time.prefill->min, time.prefill->max};
  row[first + 6] = estimate_cell(timed.speedup);
  SampleFilter filter{subject.run, subject.model, timed.mode, "", timed.length, std::nullopt};
  row[first + 1].samples = std::move(filter);
  return row;
}

// Shortest measured length from which on the mode's prefill is never slower than dense.
std::string break_even(const std::vector<Timed>& cells, const std::string& mode) {
  std::optional<std::int64_t> from;
  bool shortest = true, compared = false;
  for (const Timed& timed : cells) {  // by length, ascending
    if (timed.mode != mode || timed.length == 0) continue;
    if (!timed.speedup) continue;
    if (timed.speedup->value < 1) from.reset(), shortest = false;
    if (timed.speedup->value >= 1 && !from) from = timed.length;
    compared = true;
  }
  if (!compared) return "no dense baseline";
  if (!from) return "none in range";
  return (shortest ? "<= " : "") + format_length(*from);
}

std::string protocol(const ReportInput& input) {
  std::string text;
  for (const auto& run : input.runs) {
    const auto& environment = run.data.spec.environment;
    for (const char* key : {"device", "dtype"}) {
      auto at = environment.find(key);
      if (at == environment.end()) {
        at = run.data.spec.settings.find(key);
        if (at == run.data.spec.settings.end()) continue;
      }
      const std::string part = fmt::format(
          " {} {}.", key == std::string_view("device") ? "Device" : "Number format", at->second);
      if (text.find(part) == std::string::npos) text += part;
    }
  }
  return text;
}

Bars breakdown(const std::vector<Timed>& cells) {
  Bars bars{"", "prefill, ms (medians)", {"attention", "router", "selection", "rest"}, {}, {}};
  for (const Timed& timed : cells) {
    const runs::Latency& time = timed.time;
    if (!time.prefill || !time.attention) continue;
    bars.labels.push_back(timed.length == 0 ? timed.mode
                                            : timed.mode + " · " + format_length(timed.length));
    bars.values.push_back({*time.attention, time.router.value_or(0), time.select.value_or(0),
                           std::max(0.0, time.rest.value_or(0))});
  }
  return bars;
}

void add_lines(const std::vector<Timed>& cells, const ReportInput::Run& run, const Subject& subject,
               Chart& chart) {
  for (const std::string& mode : run.summary.modes) {
    Series series{series_name(subject, mode), series_colour(subject, mode), {}, true};
    for (const Timed& timed : cells) {
      if (timed.mode != mode || timed.length == 0) continue;
      if (!timed.time.prefill || timed.time.prefill->p50 <= 0) continue;
      Point point{static_cast<double>(timed.length), timed.time.prefill->p50};
      point.detail = fmt::format("{} at {}: median {:.1f} ms, p95 {:.1f} ms, n {}", series.name,
                                 format_length(timed.length), timed.time.prefill->p50,
                                 timed.time.prefill->p95, timed.time.prefill->n);
      series.points.push_back(std::move(point));
    }
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
}

void add_rows(const std::vector<Timed>& cells, const ReportInput::Run& run, const Subject& subject,
              bool energy, Table& table, Table& even) {
  const std::string dense = runs::dense_mode(run.summary.modes);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!table.rows.empty() && (i == 0 || cells[i].length != cells[i - 1].length)) {
      table.rules.push_back(table.rows.size());
    }
    table.rows.push_back(latency_row(cells[i], subject, energy));
  }
  for (const std::string& mode : run.summary.modes) {
    if (mode == dense) continue;
    std::vector<Cell> row;
    if (!subject.label.empty()) row.push_back(cell(subject.label));
    row.push_back(cell(mode));
    row.push_back(cell(break_even(cells, mode)));
    even.rows.push_back(std::move(row));
  }
}

}  // namespace

Document latency_document(const ReportInput& input) {
  Document document{"latency", "Latency", "", {}, {}, {}};
  const std::vector<Subject> all = subjects(input);
  const bool several = !all.empty() && !all.front().label.empty();
  const bool energy = has_energy(input);
  Table table{"latency", "Latency by length and mode", "", latency_columns(several, energy), {},
              {}};
  Table even{"break_even", "Break-even length against dense prefill", "", {}, {}, {}};
  if (several) even.columns.push_back({"run", "Run"});
  even.columns.push_back({"mode", "Mode"});
  even.columns.push_back({"break_even_length", "Break-even length"});
  Figure figure{"latency", "Prefill time over length", "", {}};
  Chart chart;
  chart.x = {"prompt length, tokens", std::nullopt, std::nullopt, true, true};
  chart.y = {"prefill, ms (median)", std::nullopt, std::nullopt, true};
  std::vector<Bars> parts;
  for (const Subject& subject : all) {
    const ReportInput::Run& run = input.runs[subject.run];
    const std::vector<Timed> cells = timed_cells(run, subject.model);
    add_rows(cells, run, subject, energy, table, even);
    add_lines(cells, run, subject, chart);
    if (Bars bars = breakdown(cells); !bars.labels.empty()) {
      bars.title = subject.label;
      parts.push_back(std::move(bars));
    }
  }
  if (table.rows.empty()) return document;
  table.caption =
      "Milliseconds per sample of the run, all tasks of a length together; prompts in tokens. "
      "Medians unless named, minimum and maximum beside the prefill median. Prefill ends when the "
      "first token's logits are known and excludes tokenising and loading; rest is what router, "
      "selection and attention leave of it. Speed-up: dense prefill time over this mode's, median "
      "over the samples of the row, each against its own dense one, with a 95 % interval. TPOT: "
      "decode time per token of one sequence; of a batch, each prompt's prefill and TTFT are its "
      "own and TPOT is the time of a step in which every sequence of the batch gets a token; peak "
      "is the batch's." +
      std::string(energy ? " J: energy of the whole GPU from prompt to answer by the driver's "
                           "counter, of samples that ran alone; per token, all of it over all "
                           "tokens of their answers."
                         : "") +
      protocol(input);
  even.caption =
      "Shortest measured length from which on the prefill speed-up of the latency table is never "
      "below 1; <=: the shortest length measured.";
  if (!chart.series.empty()) figure.panels.emplace_back(std::move(chart));
  for (Bars& bars : parts) figure.panels.emplace_back(std::move(bars));
  figure.caption =
      "Left: median prefill time of one prompt. Right: the same time split into its parts." +
      protocol(input);
  if (!figure.panels.empty()) document.figures.push_back(std::move(figure));
  document.tables.push_back(std::move(table));
  if (!even.rows.empty()) document.tables.push_back(std::move(even));
  document.tables.push_back(timing_table(input));
  document.intro = timing_verdicts(input);
  return document;
}

}  // namespace elastic::reports
