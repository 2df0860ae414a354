// What routing buys: a routed mode beside the same pair of modes with fixed heads (a pattern file,
// or drawn at random), over the samples that both answered. Fair only at equal MSR, which stands
// beside the scores.

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <tuple>

#include "engine/api/mode_list.h"
#include "reports/cells.h"
#include "runs/paired.h"

namespace elastic::reports {
namespace {

constexpr double kEqualMsr = 0.02;  // what still counts as the same share of sparse heads

struct Rivals {
  std::string fixed, routed;
};

// Modes of the run that differ in who chooses the heads and in nothing else by name.
std::vector<Rivals> rivals_of(const runs::Summary& summary) {
  std::vector<Rivals> out;
  for (const std::string& routed : summary.modes) {
    if (!engine::has_two_modes(routed) || engine::has_fixed_heads(routed)) continue;
    for (const std::string& fixed : summary.modes) {
      if (engine::has_fixed_heads(fixed) && engine::mode_name(fixed) == engine::mode_name(routed)) {
        out.push_back({fixed, routed});
      }
    }
  }
  return out;
}

struct Pairs {
  std::vector<runs::PairedCell> cells;   // by task, length
  double msr_fixed = 0, msr_routed = 0;  // sums over the pairs
  std::int64_t n = 0;

  bool msr_is_equal() const {
    return std::abs(msr_fixed - msr_routed) <= kEqualMsr * static_cast<double>(n);
  }
};

Pairs pairs_of(const runs::RunData& run, const std::string& model, const std::string& suite,
               const Rivals& rivals) {
  using Place = std::tuple<std::string_view, std::int64_t, std::int64_t>;
  std::map<Place, const runs::SampleRecord*> fixed;
  const auto counts = [&](const runs::SampleRecord& sample, const std::string& mode) {
    return sample.model == model && sample.mode == mode && runs::suite_of(sample.task) == suite &&
           runs::has_score(sample) && sample.msr;
  };
  for (const runs::SampleRecord& sample : run.samples) {
    if (counts(sample, rivals.fixed)) fixed[{sample.task, sample.length, sample.index}] = &sample;
  }
  std::map<std::pair<std::string_view, std::int64_t>, runs::PairedCell> cells;
  Pairs pairs;
  for (const runs::SampleRecord& sample : run.samples) {
    const auto other = fixed.find({sample.task, sample.length, sample.index});
    if (!counts(sample, rivals.routed) || other == fixed.end()) continue;
    runs::PairedCell& cell = cells[{sample.task, sample.length}];
    cell.length = sample.length;
    cell.pairs.push_back({*other->second->score, *sample.score, runs::document_of(sample)});
    pairs.msr_fixed += *other->second->msr;
    pairs.msr_routed += *sample.msr;
    ++pairs.n;
  }
  for (auto& [place, cell] : cells) {
    cell.result = runs::compare_pairs(cell.pairs);
    pairs.cells.push_back(std::move(cell));
  }
  return pairs;
}

std::vector<Cell> row_of(const ReportInput& input, const Subject& subject, const std::string& suite,
                         const Rivals& rivals, const Pairs& pairs) {
  const runs::PairedResult result = runs::compare_suite(pairs.cells);
  const auto n = static_cast<double>(pairs.n);
  std::vector<Cell> row;
  if (!subject.label.empty()) row.push_back(cell(subject.label));
  row.push_back(cell(suite_title(input, suite)));
  row.push_back(cell(rivals.routed));
  row.push_back(cell(rivals.fixed));
  row.push_back(cell(number(pairs.msr_routed / n)));
  row.push_back(cell(number(pairs.msr_fixed / n)));
  row.push_back(cell(std::string(pairs.msr_is_equal() ? "yes" : "no")));
  row.push_back(cell(number(result.mean_b, 100)));
  row.push_back(cell(number(result.mean_a, 100)));
  row.push_back(estimate_cell(
      runs::Estimate{100 * result.difference,
                     runs::Interval{100 * result.interval.low, 100 * result.interval.high}, pairs.n,
                     result.interval_rule}));
  row.push_back(cell(number(result.p_value)));
  row.push_back(cell(count(pairs.n)));
  return row;
}

}  // namespace

Document routed_against_fixed_document(const ReportInput& input) {
  Document document{"routed_against_fixed", "What routing buys", "", {}, {}, {}};
  Table table{"routed_against_fixed", "Routed against fixed heads", "", {}, {}, {}};
  const std::vector<Subject> all = subjects(input);
  if (!all.empty() && !all.front().label.empty()) table.columns.push_back({"run", "Run"});
  for (Column column : std::vector<Column>{{"suite", "Suite"},
                                           {"routed", "Routed"},
                                           {"fixed", "Fixed"},
                                           {"msr_routed", "MSR routed", 3},
                                           {"msr_fixed", "MSR fixed", 3},
                                           {"equal", "Equal MSR"},
                                           {"score_routed", "Score routed", 1},
                                           {"score_fixed", "Score fixed", 1},
                                           {"difference", "Routed - fixed", 1},
                                           {"p_value", "p", 3},
                                           {"n", "n"}}) {
    table.columns.push_back(std::move(column));
  }
  for (const Subject& subject : all) {
    const ReportInput::Run& run = input.runs[subject.run];
    for (const Rivals& rivals : rivals_of(run.summary)) {
      for (const std::string& suite : run.summary.suites) {
        const Pairs pairs = pairs_of(run.data, subject.model, suite, rivals);
        if (pairs.n > 0) table.rows.push_back(row_of(input, subject, suite, rivals, pairs));
      }
    }
  }
  table.caption =
      "The same samples under the router's choice for each prompt and under one choice for all of "
      "them. Scores are suite means; the difference is paired, with a 95 % interval and a "
      "sign-flip test. A routed mode is worth its router where the interval lies above 0 at equal "
      "MSR (within 0.02); a pattern should have been found on other prompts than these.";
  if (!table.rows.empty()) document.tables.push_back(std::move(table));
  return document;
}

}  // namespace elastic::reports
