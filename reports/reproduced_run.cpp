#include "reports/reproduced_run.h"

#include <algorithm>
#include <map>

#include "reports/paper_selection.h"
#include "reports/published.h"
#include "reports/speedup.h"
#include "runs/paired.h"
#include "runs/summary.h"

namespace elastic::reports {
namespace {

using runs::Estimate;
using runs::SampleRecord;

constexpr const char* kNothingToKeep = "dense attention has no score above 0";

using Field = std::optional<double> SampleRecord::*;

Field field_of(std::string_view quantity) {
  if (quantity == "msr") return &SampleRecord::msr;
  return quantity == "esr" ? &SampleRecord::esr_last_query : &SampleRecord::score;
}

std::optional<Estimate> scaled(std::optional<Estimate> estimate, double scale) {
  if (!estimate) return std::nullopt;
  estimate->value *= scale;
  if (estimate->interval) {
    estimate->interval = {estimate->interval->low * scale, estimate->interval->high * scale};
  }
  return estimate;
}

class Measurer {
 public:
  Measurer(const PaperTable& table, const runs::RunData& run)
      : table_(table), run_{run, runs::summarise(run), ""} {}

  ReproducedNumber number(const PaperRow& row, const PaperColumn& column,
                          const std::string& quantity) const {
    ReproducedNumber out{.row = row.name, .column = column.name, .quantity = quantity};
    out.samples = column.samples;
    if (row.mode.empty()) {
      out.obstacles = {row.missing};
      return out;
    }
    out.measured = measure(row.mode, column, quantity, out.obstacles);
    note_samples(out);
    if (out.measured) {
      out.obstacles.insert(out.obstacles.begin(), table_.obstacles.begin(), table_.obstacles.end());
    }
    return out;
  }

  ReproducedNumber difference(const PaperRow& row, const PaperRow& dense,
                              const PaperColumn& column) const {
    ReproducedNumber out{.row = row.name + " - " + dense.name, .column = column.name};
    out.quantity = "score";
    out.between_rows = true;
    out.samples = column.samples;
    out.measured = scaled(measure_difference(row.mode, dense.mode, column, out.obstacles), 100);
    note_samples(out);
    return out;
  }

 private:
  const std::vector<SampleRecord>& samples() const { return run_.data.samples; }

  static void note_samples(ReproducedNumber& number) {
    if (!number.measured) {
      const bool dense = !number.obstacles.empty() && number.obstacles.back() == kNothingToKeep;
      number.obstacles = {dense ? kNothingToKeep : "no samples of it in the run"};
      return;
    }
    if (number.samples > 0 && number.measured->n != number.samples) {
      number.obstacles.emplace_back(number.measured->n < number.samples
                                        ? "fewer samples than the paper's"
                                        : "more samples than the paper's");
    }
  }

  std::optional<Estimate> mean_of_samples(const std::vector<std::size_t>& of, Field field) const {
    std::vector<runs::Observation> observations;
    for (const std::size_t i : of) {
      const SampleRecord& sample = samples()[i];
      if (field == &SampleRecord::score && !runs::has_score(sample)) continue;
      if (sample.*field) observations.push_back({*(sample.*field), runs::document_of(sample)});
    }
    return runs::estimate_mean(observations);
  }

  // Plain mean of the tasks at each length, then of the lengths.
  std::optional<Estimate> mean_of_parts(const std::vector<PaperPart>& parts, Field field) const {
    std::map<std::int64_t, std::vector<Estimate>> by_length;
    for (const PaperPart& part : parts) {
      if (const auto mean = mean_of_samples(part.samples, field)) {
        by_length[part.length].push_back(*mean);
      }
    }
    std::vector<Estimate> lengths;
    lengths.reserve(by_length.size());
    for (const auto& [length, tasks] : by_length) {
      lengths.push_back(*runs::mean_of_estimates(tasks, "tasks"));
    }
    return runs::mean_of_estimates(lengths, "lengths");
  }

  const PaperColumn* find_column(std::string_view name) const {
    const auto found =
        std::find_if(table_.columns.begin(), table_.columns.end(),
                     [name](const PaperColumn& column) { return column.name == name; });
    return found == table_.columns.end() ? nullptr : &*found;
  }

  // measure_one(column, obstacles) of the columns that this is the mean of; nothing where one of
  // them has no samples.
  template <typename Measure>
  std::optional<Estimate> mean_of_columns(const PaperColumn& column,
                                          std::vector<std::string>& obstacles,
                                          Measure measure_one) const {
    std::vector<Estimate> parts;
    for (const std::string& name : column.mean_of) {
      const PaperColumn* part = find_column(name);
      std::vector<std::string> of_part;
      const auto estimate = part == nullptr ? std::nullopt : measure_one(*part, of_part);
      if (!estimate) {
        obstacles.push_back("without " + name);
        continue;
      }
      parts.push_back(*estimate);
      for (std::string& text : of_part) {
        if (std::find(obstacles.begin(), obstacles.end(), text) == obstacles.end()) {
          obstacles.push_back(std::move(text));
        }
      }
    }
    return runs::mean_of_estimates(parts, "columns");
  }

  // Percent of dense attention's score, which is taken as known.
  std::optional<Estimate> measure_kept(std::string_view mode, const PaperColumn& column,
                                       std::vector<std::string>& obstacles) const {
    const auto dense =
        std::find_if(table_.rows.begin(), table_.rows.end(),
                     [this](const PaperRow& row) { return row.name == table_.dense; });
    std::vector<std::string> of_dense;
    const std::optional<Estimate> whole =
        dense == table_.rows.end() ? std::nullopt : measure(dense->mode, column, "score", of_dense);
    std::optional<Estimate> score = measure(mode, column, "score", obstacles);
    if (whole && whole->value > 0) return scaled(score, 100 / whole->value);
    if (score) obstacles.emplace_back(kNothingToKeep);
    return std::nullopt;
  }

  std::optional<Estimate> measure(std::string_view mode, const PaperColumn& column,
                                  const std::string& quantity,
                                  std::vector<std::string>& obstacles) const {
    if (quantity == "kept") return measure_kept(mode, column, obstacles);
    const bool score = quantity == "score";
    if (!column.mean_of.empty() && !(column.pooled && score)) {
      return mean_of_columns(column, obstacles, [&](const PaperColumn& part, auto& of_part) {
        return measure(mode, part, quantity, of_part);
      });
    }
    PaperSelection selection = select_samples(run_.data, mode, column);
    obstacles = std::move(selection.obstacles);
    if (quantity == "speedup") {
      const auto device = run_.data.spec.environment.find("device");
      if (device != run_.data.spec.environment.end() && device->second == "cpu") {
        obstacles.emplace_back("on a CPU");
      }
      return prefill_speedup(run_, selection.all());
    }
    const Field field = field_of(quantity);
    return scaled(column.pooled ? mean_of_samples(selection.all(), field)
                                : mean_of_parts(selection.parts, field),
                  score ? 100 : 1);
  }

  // Pairs of one mode's samples with the other's of the same task, length and index.
  std::vector<runs::PairedCell> pairs_of(const PaperSelection& ours,
                                         const PaperSelection& dense) const {
    std::vector<runs::PairedCell> cells;
    for (const PaperPart& part : ours.parts) {
      const auto other = std::find_if(
          dense.parts.begin(), dense.parts.end(),
          [&](const PaperPart& p) { return p.task == part.task && p.length == part.length; });
      if (other == dense.parts.end()) continue;
      std::map<std::int64_t, const SampleRecord*> by_index;
      for (const std::size_t i : other->samples) by_index[samples()[i].index] = &samples()[i];
      runs::PairedCell cell{.length = part.length};
      for (const std::size_t i : part.samples) {
        const SampleRecord& sample = samples()[i];
        const auto pair = by_index.find(sample.index);
        if (pair == by_index.end() || !runs::has_score(sample) || !runs::has_score(*pair->second)) {
          continue;
        }
        cell.pairs.push_back({*pair->second->score, *sample.score, runs::document_of(sample)});
      }
      if (cell.pairs.empty()) continue;
      cell.result = runs::compare_pairs(cell.pairs);
      cells.push_back(std::move(cell));
    }
    return cells;
  }

  std::optional<Estimate> measure_difference(std::string_view mode, std::string_view dense,
                                             const PaperColumn& column,
                                             std::vector<std::string>& obstacles) const {
    if (!column.mean_of.empty() && !column.pooled) {
      return mean_of_columns(column, obstacles, [&](const PaperColumn& part, auto& of_part) {
        return measure_difference(mode, dense, part, of_part);
      });
    }
    PaperSelection selection = select_samples(run_.data, mode, column);
    obstacles = std::move(selection.obstacles);
    std::vector<runs::PairedCell> cells =
        pairs_of(selection, select_samples(run_.data, dense, column));
    if (cells.empty()) return std::nullopt;
    if (column.pooled) {
      runs::PairedCell all;
      for (const runs::PairedCell& cell : cells) {
        all.pairs.insert(all.pairs.end(), cell.pairs.begin(), cell.pairs.end());
      }
      all.result = runs::compare_pairs(all.pairs);
      cells = {all};
    }
    const runs::PairedResult result = runs::compare_suite(cells);
    return Estimate{result.difference, result.interval, result.n, result.interval_rule};
  }

  const PaperTable& table_;
  const ReportInput::Run run_;
};

const PublishedNumber* printed(const PaperTable& table, const std::string& row,
                               const std::string& column, std::string_view quantity) {
  return find_published(table.experiment, table.paper_model, row, column, quantity);
}

// What the experiment prints.
std::vector<std::string> quantities_of(const PaperTable& table) {
  std::vector<std::string> quantities;
  for (const PublishedNumber& number : published_numbers(table.experiment)) {
    if (std::find(quantities.begin(), quantities.end(), number.quantity) == quantities.end()) {
      quantities.push_back(number.quantity);
    }
  }
  return quantities;
}

void add_differences(const PaperTable& table, const Measurer& measurer,
                     std::vector<ReproducedNumber>& numbers) {
  const auto dense = std::find_if(table.rows.begin(), table.rows.end(),
                                  [&](const PaperRow& row) { return row.name == table.dense; });
  if (dense == table.rows.end() || dense->mode.empty()) return;
  for (const PaperRow& row : table.rows) {
    if (row.mode.empty() || row.name == table.dense) continue;
    for (const PaperColumn& column : table.columns) {
      const auto* ours = printed(table, row.name, column.name, "score");
      const auto* theirs = printed(table, dense->name, column.name, "score");
      if (ours == nullptr || theirs == nullptr) continue;
      ReproducedNumber number = measurer.difference(row, *dense, column);
      if (!number.measured) continue;
      number.published = ours->value - theirs->value;
      number.slips = ours->slips;
      numbers.push_back(std::move(number));
    }
  }
}

}  // namespace

std::vector<ReproducedNumber> reproduced_run(const PaperTable& table, const runs::RunData& run) {
  const Measurer measurer(table, run);
  const std::vector<std::string> quantities = quantities_of(table);
  std::vector<ReproducedNumber> numbers;
  for (const PaperRow& row : table.rows) {
    for (const PaperColumn& column : table.columns) {
      // Of our own, where the paper has nothing at all.
      const bool own = !row.mode.empty() &&
                       std::none_of(quantities.begin(), quantities.end(), [&](const auto& q) {
                         return printed(table, row.name, column.name, q) != nullptr;
                       });
      for (const std::string& quantity : quantities) {
        const PublishedNumber* published = printed(table, row.name, column.name, quantity);
        if (published == nullptr && !own) continue;
        ReproducedNumber number = measurer.number(row, column, quantity);
        if (published == nullptr && !number.measured) continue;
        set_published(published, number);
        numbers.push_back(std::move(number));
      }
    }
  }
  add_differences(table, measurer, numbers);
  return numbers;
}

}  // namespace elastic::reports
