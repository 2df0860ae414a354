#include "runs/summary.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "base/text.h"
#include "engine/api/mode_list.h"

namespace elastic::runs {
namespace {

using Field = std::optional<double> SampleRecord::*;

// Position of `name`, appended where new.
std::size_t index_in(std::vector<std::string>& names, const std::string& name) {
  const auto at = std::find(names.begin(), names.end(), name);
  if (at != names.end()) return static_cast<std::size_t>(at - names.begin());
  names.push_back(name);
  return names.size() - 1;
}

std::optional<double> mean_of_field(const RunData& run, const std::vector<std::size_t>& samples,
                                    Field field) {
  std::vector<double> values;
  for (const std::size_t i : samples) {
    const std::optional<double>& value = run.samples[i].*field;
    if (value && std::isfinite(*value)) values.push_back(*value);
  }
  return mean(values);
}

template <typename Get>
std::vector<double> collect(const RunData& run, const std::vector<std::size_t>& samples, Get get) {
  std::vector<double> values;
  for (const std::size_t i : samples) {
    const std::optional<double> value = get(run.samples[i]);
    if (value && std::isfinite(*value)) values.push_back(*value);
  }
  return values;
}

std::optional<Spread> spread_of(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return Spread{*quantile(values, 0.5), *quantile(values, 0.95), *low, *high,
                static_cast<std::int64_t>(values.size())};
}

std::optional<double> cache_share(const SampleRecord& sample) {
  if (!sample.kv_bytes || sample.kv_bytes_full.value_or(0) == 0) return std::nullopt;
  return static_cast<double>(*sample.kv_bytes) / static_cast<double>(*sample.kv_bytes_full);
}

void fold_samples(const RunData& run, Cell& cell) {
  std::vector<Observation> scores;
  for (const std::size_t i : cell.samples) {
    const SampleRecord& sample = run.samples[i];
    if (cell.metric.empty()) cell.metric = sample.metric;
    cell.failed += sample.outcome != Outcome::kOk;
    cell.truncated += sample.truncated_tokens > 0;
    cell.truncated_tokens += sample.truncated_tokens;
    if (!has_score(sample)) continue;
    scores.push_back({*sample.score, document_of(sample)});
  }
  cell.scored = static_cast<std::int64_t>(scores.size());
  cell.planned = std::max(cell.planned, static_cast<std::int64_t>(cell.samples.size()));
  cell.score = estimate_mean(scores);
  cell.sparsity = {mean_of_field(run, cell.samples, &SampleRecord::msr),
                   mean_of_field(run, cell.samples, &SampleRecord::esr_last_query),
                   mean_of_field(run, cell.samples, &SampleRecord::esr_last_layer),
                   mean_of_field(run, cell.samples, &SampleRecord::esr_all_layers),
                   mean_of_field(run, cell.samples, &SampleRecord::block_density),
                   mean_of_field(run, cell.samples, &SampleRecord::pv_density),
                   mean_of_field(run, cell.samples, &SampleRecord::read_share),
                   mean(collect(run, cell.samples, cache_share)),
                   mean_of_field(run, cell.samples, &SampleRecord::fallback_share)};
  cell.latency = latency_of(run, cell.samples);
}

struct GroupKey {
  std::size_t model, mode, task;
  std::int64_t length;
  auto operator<=>(const GroupKey&) const = default;  // NOLINT(modernize-use-nullptr)
};

std::string model_of_spec(const RunSpec& spec) {
  const auto at = spec.settings.find("model");
  return at == spec.settings.end() ? "" : at->second;
}

// The cells with their samples and plan, not folded yet.
std::map<GroupKey, Cell> group_samples(const RunData& run, Summary& summary) {
  std::map<GroupKey, Cell> cells;
  for (std::size_t i = 0; i < run.samples.size(); ++i) {
    const SampleRecord& sample = run.samples[i];
    const GroupKey key{index_in(summary.models, sample.model), index_in(summary.modes, sample.mode),
                       index_in(summary.tasks, sample.task), sample.length};
    cells[key].samples.push_back(i);
  }
  if (summary.models.empty() && !run.spec.planned.empty()) {
    summary.models.push_back(model_of_spec(run.spec));
  }
  for (const auto& [cell, planned] : run.spec.planned) {
    const std::size_t mode = index_in(summary.modes, cell.mode);
    const std::size_t task = index_in(summary.tasks, cell.task);
    for (std::size_t model = 0; model < summary.models.size(); ++model) {
      cells[{model, mode, task, cell.length}].planned = planned;
    }
  }
  return cells;
}

// Names of the spec come first, in its order; those that no cell has are dropped again.
void drop_unused(std::vector<std::string>& names, const std::vector<Cell>& cells,
                 std::string Cell::*field) {
  std::erase_if(names, [&](const std::string& name) {
    return std::none_of(cells.begin(), cells.end(),
                        [&](const Cell& cell) { return cell.*field == name; });
  });
}

Sparsity mean_sparsity(const std::vector<const Cell*>& parts) {
  Sparsity out;
  for (const auto field :
       {&Sparsity::msr, &Sparsity::esr_last_query, &Sparsity::esr_last_layer,
        &Sparsity::esr_all_layers, &Sparsity::block_density, &Sparsity::pv_density,
        &Sparsity::read_share, &Sparsity::cache_share, &Sparsity::fallback_share}) {
    std::vector<double> values;
    for (const Cell* part : parts) {
      if (part->sparsity.*field) values.push_back(*(part->sparsity.*field));
    }
    out.*field = mean(values);
  }
  return out;
}

// Unweighted mean of `parts`, which share model, mode and suite.
Cell aggregate(const RunData& run, const std::vector<const Cell*>& parts, std::int64_t length) {
  const Cell& first = *parts[0];
  Cell cell;
  cell.model = first.model;
  cell.mode = first.mode;
  cell.task = suite_of(first.task);
  cell.metric = first.metric;
  cell.length = length;
  std::vector<Estimate> estimates;
  for (const Cell* part : parts) {
    if (part->metric != cell.metric) cell.metric.clear();
    cell.planned += part->planned;
    cell.scored += part->scored;
    cell.failed += part->failed;
    cell.truncated += part->truncated;
    cell.truncated_tokens += part->truncated_tokens;
    cell.samples.insert(cell.samples.end(), part->samples.begin(), part->samples.end());
    if (part->score) estimates.push_back(*part->score);
  }
  const bool over_lengths = length == 0 && first.length != 0;
  cell.score = mean_of_estimates(estimates, over_lengths ? "lengths" : "tasks");
  if (cell.score && estimates.size() < parts.size()) {
    cell.score->rule += " (of " + std::to_string(parts.size()) + "; the others have no score yet)";
  }
  cell.sparsity = mean_sparsity(parts);
  if (length != 0) {
    cell.latency = latency_of(run, cell.samples);
  } else {
    cell.latency.peak_bytes = latency_of(run, cell.samples).peak_bytes;
  }
  return cell;
}

// One aggregate per run of `cells` with the same model, mode and suite (and length, if asked).
std::vector<Cell> aggregate_by(const RunData& run, const std::vector<Cell>& cells,
                               bool keep_length) {
  std::vector<std::vector<const Cell*>> groups;
  std::map<std::tuple<std::string, std::string, std::string_view, std::int64_t>, std::size_t> known;
  for (const Cell& cell : cells) {
    if (keep_length && cell.length == 0) continue;
    const auto [at, fresh] = known.try_emplace(
        {cell.model, cell.mode, suite_of(cell.task), keep_length ? cell.length : 0}, groups.size());
    if (fresh) groups.emplace_back();
    groups[at->second].push_back(&cell);
  }
  std::vector<Cell> out;
  out.reserve(groups.size());
  for (const auto& group : groups) {
    out.push_back(aggregate(run, group, keep_length ? group.front()->length : 0));
  }
  return out;
}

// One aggregate per model, mode, suite and category, of cells without a length.
std::vector<Cell> aggregate_categories(const RunData& run, const std::vector<Cell>& cells) {
  std::vector<std::vector<const Cell*>> groups;
  std::map<std::tuple<std::string, std::string, std::string_view, std::string>, std::size_t> known;
  for (const Cell& cell : cells) {
    if (cell.length != 0 || cell.category.empty()) continue;
    const auto [at, fresh] = known.try_emplace(
        {cell.model, cell.mode, suite_of(cell.task), cell.category}, groups.size());
    if (fresh) groups.emplace_back();
    groups[at->second].push_back(&cell);
  }
  std::vector<Cell> out;
  for (const auto& group : groups) {
    out.push_back(aggregate(run, group, 0));
    out.back().category = group.front()->category;
  }
  return out;
}

}  // namespace

bool has_score(const SampleRecord& sample) {
  return sample.outcome == Outcome::kOk && sample.score && std::isfinite(*sample.score);
}

std::string_view document_of(const SampleRecord& sample) {
  const auto document = sample.strata.find("document");
  return document == sample.strata.end() ? std::string_view() : std::string_view(document->second);
}

std::string_view suite_of(std::string_view task) { return task.substr(0, task.find('/')); }

std::string dense_mode(const std::vector<std::string>& modes) {
  if (std::find(modes.begin(), modes.end(), engine::kDenseMode) != modes.end()) {
    return std::string(engine::kDenseMode);
  }
  const auto variant = std::find_if(modes.begin(), modes.end(), [](const std::string& mode) {
    return engine::mode_name(mode) == engine::kDenseMode;
  });
  return variant == modes.end() ? "" : *variant;
}

std::optional<double> tpot_ms(const SampleRecord& sample) {
  const std::int64_t steps = sample.output_tokens - sample.passes;
  if (!sample.decode_ms || steps < 1) return std::nullopt;
  return *sample.decode_ms / static_cast<double>(steps);
}

Latency latency_of(const RunData& run, const std::vector<std::size_t>& samples) {
  const auto field = [&](Field member) {
    return collect(run, samples, [member](const SampleRecord& sample) { return sample.*member; });
  };
  Latency out;
  out.prefill = spread_of(field(&SampleRecord::prefill_ms));
  out.ttft = spread_of(field(&SampleRecord::ttft_ms));
  out.tpot = spread_of(collect(run, samples, tpot_ms));
  out.batch = spread_of(collect(run, samples, [](const SampleRecord& sample) {
    return sample.batch ? std::optional(static_cast<double>(*sample.batch)) : std::nullopt;
  }));
  out.router = quantile(field(&SampleRecord::router_ms), 0.5);
  out.select = quantile(field(&SampleRecord::select_ms), 0.5);
  out.attention = quantile(field(&SampleRecord::attention_ms), 0.5);
  if (out.prefill && out.attention) {
    out.rest = out.prefill->p50 - *out.attention - out.router.value_or(0) - out.select.value_or(0);
  }
  out.prompt_tokens = quantile(collect(run, samples,
                                       [](const SampleRecord& sample) -> std::optional<double> {
                                         if (sample.prompt_tokens <= 0) return std::nullopt;
                                         return static_cast<double>(sample.prompt_tokens);
                                       }),
                               0.5);
  out.joules = mean(field(&SampleRecord::joules));
  double joules = 0, tokens = 0;
  for (const std::size_t i : samples) {
    if (!run.samples[i].joules) continue;
    joules += *run.samples[i].joules;
    tokens += static_cast<double>(run.samples[i].output_tokens);
  }
  if (tokens > 0) out.joules_per_token = joules / tokens;
  for (const std::size_t i : samples) {
    const std::optional<std::int64_t>& peak = run.samples[i].peak_bytes;
    if (peak) out.peak_bytes = std::max(out.peak_bytes.value_or(0), *peak);
  }
  return out;
}

Cell cell_of_samples(const RunData& run, std::vector<std::size_t> samples) {
  Cell cell;
  cell.samples = std::move(samples);
  if (cell.samples.empty()) return cell;
  const SampleRecord& first = run.samples[cell.samples.front()];
  cell.model = first.model;
  cell.mode = first.mode;
  fold_samples(run, cell);
  return cell;
}

Summary summarise(const RunData& run) {
  Summary summary;
  summary.modes = run.spec.modes;
  summary.tasks = run.spec.tasks;
  for (auto& [key, cell] : group_samples(run, summary)) {
    cell.model = summary.models[key.model];
    cell.mode = summary.modes[key.mode];
    cell.task = summary.tasks[key.task];
    cell.length = key.length;
    const auto category = run.spec.categories.find(cell.task);
    if (category != run.spec.categories.end()) cell.category = category->second;
    fold_samples(run, cell);
    summary.cells.push_back(std::move(cell));
  }
  drop_unused(summary.modes, summary.cells, &Cell::mode);
  drop_unused(summary.tasks, summary.cells, &Cell::task);
  for (const Cell& cell : summary.cells) {
    if (cell.length != 0) summary.lengths.push_back(cell.length);
    index_in(summary.suites, std::string(suite_of(cell.task)));
  }
  std::sort(summary.lengths.begin(), summary.lengths.end());
  summary.lengths.erase(std::unique(summary.lengths.begin(), summary.lengths.end()),
                        summary.lengths.end());
  summary.by_length = aggregate_by(run, summary.cells, true);
  std::vector<Cell> parts = summary.by_length;
  for (const Cell& cell : summary.cells) {
    if (cell.length == 0) parts.push_back(cell);
  }
  summary.overall = aggregate_by(run, parts, false);
  summary.by_category = aggregate_categories(run, summary.cells);
  return summary;
}

const Cell* find_cell(const std::vector<Cell>& cells, std::string_view model, std::string_view mode,
                      std::string_view task, std::int64_t length) {
  const auto at = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
    return cell.model == model && cell.mode == mode && cell.task == task && cell.length == length;
  });
  return at == cells.end() ? nullptr : &*at;
}

}  // namespace elastic::runs
