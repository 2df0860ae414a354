// At a glance: one row per suite and mode with score, sparsity, speed and what is missing.

#include <fmt/format.h>

#include "base/text.h"
#include "reports/cells.h"
#include "reports/speedup.h"

namespace elastic::reports {
namespace {

std::optional<double> tpot(const ReportInput::Run& run, const std::vector<std::size_t>& samples) {
  const runs::Latency latency = runs::latency_of(run.data, samples);
  return latency.tpot ? std::optional(latency.tpot->p50) : std::nullopt;
}

std::vector<Cell> overview_row(const ReportInput& input, const Subject& subject,
                               const runs::Cell& cell) {
  const ReportInput::Run& run = input.runs[subject.run];
  std::vector<Cell> row;
  if (!subject.label.empty()) row.push_back(reports::cell(subject.label));
  row.push_back(reports::cell(suite_title(input, cell.task)));
  row.push_back(reports::cell(cell.mode));
  row.push_back(score_cell(cell, subject.run));
  row.back().shade.reset();
  row.back().n = row.back().planned = 0;  // the last two columns say it
  for (Cell& of_pairs : difference_cells(find_difference(run.differences.overall, cell))) {
    row.push_back(std::move(of_pairs));
  }
  row.push_back(reports::cell(number(cell.sparsity.msr)));
  row.push_back(reports::cell(number(cell.sparsity.esr_last_query)));
  row.push_back(reports::cell(number(cell.sparsity.esr_all_layers)));
  row.push_back(reports::cell(number(cell.sparsity.token_density())));
  row.push_back(reports::cell(number(cell.sparsity.read_share)));
  row.push_back(estimate_cell(prefill_speedup(run, cell.samples)));
  row.push_back(reports::cell(number(tpot(run, cell.samples), 1, 3)));
  row.push_back(reports::cell(count(cell.scored)));
  row.push_back(reports::cell(count(cell.planned)));
  return row;
}

// Modes that computed dense attention since prompts were too short for them; empty without any.
std::string fallback_note(const ReportInput& input, const std::vector<Subject>& all) {
  std::vector<std::string> parts;
  for (const Subject& subject : all) {
    for (const runs::Cell& cell : input.runs[subject.run].summary.overall) {
      const double share = cell.sparsity.fallback_share.value_or(0);
      if (cell.model != subject.model || share == 0) continue;
      parts.push_back(fmt::format("{} {} {:.3f}", suite_title(input, cell.task),
                                  series_name(subject, cell.mode), share));
    }
  }
  if (parts.empty()) return "";
  return " Dense since prompts were too short for the method, as a share of all KV heads: " +
         join(parts, "; ") + ".";
}

}  // namespace

Document overview_document(const ReportInput& input) {
  Document document{"overview", "At a glance", "", {}, {}, {}};
  Table table{"overview", "Modes at a glance", "", {}, {}, {}};
  const std::vector<Subject> all = subjects(input);
  if (!all.empty() && !all.front().label.empty()) table.columns.push_back({"run", "Run"});
  for (Column column : std::vector<Column>{{"suite", "Suite"},
                                           {"mode", "Mode"},
                                           {"score", "Score", 1},
                                           {"difference", "Δ to fa", 1},
                                           {"p", "p", 3},
                                           {"msr", "MSR", 3},
                                           {"esr", "ESR", 3},
                                           {"esr_all", "ESR all", 3},
                                           {"token_density", "Density", 3},
                                           {"read_share", "Reads", 3},
                                           {"speedup", "Speed-up", 2},
                                           {"tpot", "TPOT, ms", 2},
                                           {"n", "n"},
                                           {"planned", "planned"}}) {
    table.columns.push_back(std::move(column));
  }
  for (const Subject& subject : all) {
    std::string suite;
    for (const runs::Cell& cell : input.runs[subject.run].summary.overall) {
      if (cell.model != subject.model) continue;
      if (!table.rows.empty() && cell.mode == input.runs[subject.run].summary.modes.front()) {
        table.rules.push_back(table.rows.size());
      }
      table.rows.push_back(overview_row(input, subject, cell));
    }
  }
  table.caption =
      "Score: 0-100 with a 95 % interval; the suite's unweighted mean of tasks at each length, "
      "then of lengths. " +
      std::string(kDifferenceNote) +
      " MSR: share of KV heads in sparse mode. ESR: share of tokens pruned, last "
      "layer, last query; ESR all: over all layers and queries. Density: visible over causal "
      "pairs of the prefill, all layers. Reads: "
      "bytes that decode steps read over those of dense steps. Speed-up: dense "
      "prefill time over this mode's in the same run, median over the samples of a length, then "
      "geometric mean of the lengths, with a 95 % interval. TPOT: a sequence's wait for its next "
      "token, median over all samples." +
      fallback_note(input, all);
  if (!table.rows.empty()) document.tables.push_back(std::move(table));
  return document;
}

}  // namespace elastic::reports
