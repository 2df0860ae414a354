#include "runs/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "runs/run_store.h"
#include "runs/summary.h"

namespace elastic::runs {
namespace {

// Settings under which a sample is another question, or may be answered at another length.
constexpr std::string_view kQuestionSettings[] = {"model_template", "chat_template",   "bos",
                                                  "thinking",       "thinking_tokens", "max_length",
                                                  "max_new_tokens"};

using Index = std::map<std::int64_t, const SampleRecord*>;
using Cells = std::map<DataKey, Index>;

Cells cells_of(const RunData& run, const std::string& mode) {
  Cells cells;
  for (const SampleRecord& r : run.samples) {
    if (r.mode == mode) cells[{r.task, r.length}][r.index] = &r;
  }
  return cells;
}

// Samples a run was to have in a cell; those it has where it states no plan.
std::int64_t planned(const RunData& run, const std::string& mode, const DataKey& cell,
                     const Index& samples) {
  const auto at = run.spec.planned.find({mode, cell.task, cell.length});
  return at == run.spec.planned.end() ? static_cast<std::int64_t>(samples.size()) : at->second;
}

std::string name_of(const DataKey& cell) {
  return cell.length == 0 ? cell.task
                          : fmt::format("{} at {}", cell.task, format_length(cell.length));
}

bool differ(const std::string& a, const std::string& b) {
  return !a.empty() && !b.empty() && a != b;
}

// What the samples of one cell have in common.
struct Matched {
  std::vector<Pair> pairs;
  Work work;
  std::int64_t shared = 0;                            // in both runs
  std::int64_t failed = 0;                            // of these, without two scores
  std::int64_t prompts = 0, ids = 0, references = 0;  // of these, unlike
  std::int64_t only_a = 0, only_b = 0;
};

Matched match(const Index& a, const Index& b) {
  Matched m;
  for (const auto& [index, record] : a) {
    const auto other = b.find(index);
    if (other == b.end()) continue;
    const SampleRecord& x = *record;
    const SampleRecord& y = *other->second;
    ++m.shared;
    m.prompts += differ(x.prompt_sha256, y.prompt_sha256);
    m.ids += !differ(x.prompt_sha256, y.prompt_sha256) && differ(x.ids_sha256, y.ids_sha256);
    if (x.references != y.references) {
      ++m.references;  // scored against other truths: no pair
    } else if (!has_score(x) || !has_score(y)) {
      ++m.failed;
    } else {
      m.pairs.push_back({*x.score, *y.score, document_of(x)});
      m.work.add(x, y);
    }
  }
  m.only_a = static_cast<std::int64_t>(a.size()) - m.shared;
  m.only_b = static_cast<std::int64_t>(b.size()) - m.shared;
  return m;
}

class Comparison {
 public:
  Comparison(const RunData& a, const RunData& b, const CompareOptions& options)
      : a_(a), b_(b), options_(options) {}

  ComparedRuns compare() {
    check_settings();
    for (const auto& [mode_a, mode_b] : mode_pairs()) add_modes(mode_a, mode_b);
    if (out_.rows.empty()) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{} and {} have no scored sample in common", a_.folder, b_.folder));
    }
    std::vector<PairedResult> results;
    for (const ComparedRow& row : out_.rows) results.push_back(row.result);
    adjust_p_values(results);
    for (std::size_t i = 0; i < results.size(); ++i) out_.rows[i].result = results[i];
    return std::move(out_);
  }

 private:
  // A difference that makes the samples unlike.
  void refuse(const std::string& what) {
    if (!options_.allow_different) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{} and {}: {}; such runs are not compared (--allow-different does "
                              "it and says so in the result)",
                              a_.folder, b_.folder, what));
    }
    out_.unlike.push_back(what);
  }

  void check_settings() {
    for (const auto& [key, value] : a_.spec.settings) {
      const auto other = b_.spec.settings.find(key);
      if (other == b_.spec.settings.end() || other->second == value) continue;
      if (key.starts_with(kProfileSetting)) {
        refuse(fmt::format("profiles differ: {} and {}", value, other->second));
      } else if (std::ranges::find(kQuestionSettings, key) != std::end(kQuestionSettings)) {
        refuse(fmt::format("setting `{}` differs: {} and {}", key, value, other->second));
      }
    }
  }

  std::vector<std::pair<std::string, std::string>> mode_pairs() const {
    const auto has = [](const RunData& run, const std::string& mode) {
      return std::ranges::find(run.spec.modes, mode) != run.spec.modes.end();
    };
    if (!options_.mode_a.empty() || !options_.mode_b.empty()) {
      const std::string a = options_.mode_a.empty() ? options_.mode_b : options_.mode_a;
      const std::string b = options_.mode_b.empty() ? options_.mode_a : options_.mode_b;
      for (const auto& [run, mode] : {std::pair(&a_, a), std::pair(&b_, b)}) {
        if (has(*run, mode)) continue;
        throw Error(ErrorKind::kInvalidArgument,
                    fmt::format("{} has no mode {}; it has {}", run->folder, mode,
                                join(run->spec.modes, ", ")));
      }
      return {{a, b}};
    }
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const std::string& mode : a_.spec.modes) {
      if (has(b_, mode)) pairs.emplace_back(mode, mode);
    }
    if (pairs.empty() && a_.spec.modes.size() == 1 && b_.spec.modes.size() == 1) {
      pairs.emplace_back(a_.spec.modes.front(), b_.spec.modes.front());
    }
    return pairs;
  }

  // Refuses pairs of samples that are not the same question, and a sample set with holes.
  void check_cell(const DataKey& cell, const Matched& m, std::int64_t planned_a,
                  std::int64_t planned_b) {
    const std::string name = name_of(cell);
    const auto unlike = [&](std::int64_t count, std::string_view what) {
      if (count > 0)
        refuse(fmt::format("{}: {} of {} samples have other {}", name, count, m.shared, what));
    };
    unlike(m.prompts, "prompts (prompt_sha256)");
    unlike(m.ids, "prompt ids (ids_sha256)");
    unlike(m.references, "references");
    const std::int64_t smaller = std::min(planned_a, planned_b);
    if (planned_a == planned_b) {
      const auto a = a_.spec.data_ids.find(cell), b = b_.spec.data_ids.find(cell);
      if (a != a_.spec.data_ids.end() && b != b_.spec.data_ids.end() && a->second != b->second) {
        refuse(fmt::format("the data of {} differ ({} and {})", name, a->second.substr(0, 12),
                           b->second.substr(0, 12)));
      }
    } else if (m.shared == smaller) {
      out_.notes.push_back(fmt::format("{}: {} and {} samples planned, the {} shared ones compared",
                                       name, planned_a, planned_b, m.shared));
    }
    if (m.shared < smaller) {
      refuse(fmt::format("{}: {} of {} samples have no counterpart", name, smaller - m.shared,
                         smaller));
    }
  }

  void add_modes(const std::string& mode_a, const std::string& mode_b) {
    const Cells a = cells_of(a_, mode_a), b = cells_of(b_, mode_b);
    std::map<std::string_view, std::vector<PairedCell>> suites;
    std::map<std::string_view, std::int64_t> left_out;
    std::map<std::string_view, Work> work;
    for (const auto& [cell, samples] : a) {
      const auto other = b.find(cell);
      if (other == b.end()) continue;
      Matched m = match(samples, other->second);
      check_cell(cell, m, planned(a_, mode_a, cell, samples),
                 planned(b_, mode_b, cell, other->second));
      if (m.pairs.empty()) continue;
      const std::int64_t out = m.only_a + m.only_b + m.failed + m.references;
      const PairedResult result = compare_pairs(m.pairs);
      out_.rows.push_back({mode_a, mode_b, cell.task, cell.length, out, result, m.work});
      left_out[suite_of(cell.task)] += out;
      work[suite_of(cell.task)].add(m.work);
      suites[suite_of(cell.task)].push_back({cell.length, std::move(m.pairs), result});
    }
    for (const auto& [suite, cells] : suites) {
      if (cells.size() < 2) continue;
      out_.suites.push_back({mode_a, mode_b, std::string(suite), 0, left_out[suite],
                             compare_suite(cells), work[suite]});
    }
  }

  const RunData& a_;
  const RunData& b_;
  const CompareOptions& options_;
  ComparedRuns out_;
};

}  // namespace

void PairedMean::add(const std::optional<double>& of_a, const std::optional<double>& of_b) {
  if (!of_a || !of_b) return;
  a += *of_a;
  b += *of_b;
  ++n;
}

void PairedMean::add(const PairedMean& other) {
  a += other.a;
  b += other.b;
  n += other.n;
}

void Work::add(const SampleRecord& a, const SampleRecord& b) {
  const auto density = [](const SampleRecord& r) {
    return r.esr_all_layers ? std::optional(1 - *r.esr_all_layers) : std::nullopt;
  };
  token_density.add(density(a), density(b));
  read_share.add(a.read_share, b.read_share);
  prefill_ms.add(a.prefill_ms, b.prefill_ms);
}

void Work::add(const Work& other) {
  token_density.add(other.token_density);
  read_share.add(other.read_share);
  prefill_ms.add(other.prefill_ms);
}

ComparedRuns compare_runs(const RunData& a, const RunData& b, const CompareOptions& options) {
  return Comparison(a, b, options).compare();
}

bool excludes_loss(const PairedResult& result, double points) {
  return 100 * result.interval.low > -points;
}

}  // namespace elastic::runs
