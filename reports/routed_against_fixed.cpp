// What routing buys: a routed mode beside the same pair of modes with fixed heads (a pattern file,
// or drawn at random), over the samples that both answered. Fair only at equal MSR, which stands
// beside the scores.

#include <cmath>
#include <optional>

#include "engine/api/mode_list.h"
#include "reports/cells.h"
#include "reports/pairs.h"
#include "runs/comparison.h"

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
    if (!engine::router_decides(routed)) continue;
    for (const std::string& fixed : summary.modes) {
      if (engine::has_fixed_heads(fixed) && engine::mode_name(fixed) == engine::mode_name(routed)) {
        out.push_back({fixed, routed});
      }
    }
  }
  return out;
}

struct Compared {
  runs::PairedResult result;
  runs::PairedMean msr;  // a fixed, b routed

  double msr_of(double sum) const { return sum / static_cast<double>(msr.n); }
  bool msr_is_equal() const { return std::abs(msr_of(msr.a) - msr_of(msr.b)) <= kEqualMsr; }
};

// Nothing where no sample has both scores and both MSRs.
std::optional<Compared> compare(const Side& fixed, const Side& routed, const std::string& suite) {
  const std::vector<runs::PairedCell> cells = of_suite(paired_cells(fixed, routed), suite);
  Compared compared;
  for (const auto& [a, b] : answered_by_both(fixed, routed)) {
    if (runs::suite_of(b->task) == suite) compared.msr.add(a->msr, b->msr);
  }
  if (cells.empty() || compared.msr.n == 0) return std::nullopt;
  compared.result = compare_cells(cells);
  return compared;
}

std::vector<Cell> row_of(const ReportInput& input, const Subject& subject, const std::string& suite,
                         const Rivals& rivals, const Compared& compared) {
  const runs::PairedResult& result = compared.result;
  std::vector<Cell> row;
  if (!subject.label.empty()) row.push_back(cell(subject.label));
  row.push_back(cell(suite_title(input, suite)));
  row.push_back(cell(rivals.routed));
  row.push_back(cell(rivals.fixed));
  row.push_back(cell(number(compared.msr_of(compared.msr.b))));
  row.push_back(cell(number(compared.msr_of(compared.msr.a))));
  row.push_back(cell(std::string(compared.msr_is_equal() ? "yes" : "no")));
  row.push_back(cell(number(result.mean_b, 100)));
  row.push_back(cell(number(result.mean_a, 100)));
  row.push_back(difference_cell(result));
  row.push_back(cell(number(result.p_value)));
  row.push_back(cell(count(result.n)));
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
        const auto compared = compare({&run.data, subject.model, rivals.fixed},
                                      {&run.data, subject.model, rivals.routed}, suite);
        if (compared) table.rows.push_back(row_of(input, subject, suite, rivals, *compared));
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
