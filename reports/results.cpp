// results.csv and results.json: one tidy row per model, mode, task and length, and per suite. The
// columns are a contract (docs/reports.md).

#include <fmt/format.h>

#include "base/text.h"
#include "reports/cells.h"

namespace elastic::reports {
namespace {

constexpr double kPercent = 100;

std::vector<Column> result_columns(bool several_runs) {
  std::vector<Column> columns;
  for (const char* key : {"model",
                          "mode",
                          "task",
                          "category",
                          "length",
                          "metric",
                          "value",
                          "ci_low",
                          "ci_high",
                          "n",
                          "planned",
                          "msr",
                          "esr",
                          "ttft_ms_p50",
                          "ttft_ms_p95",
                          "tpot_ms_p50",
                          "peak_bytes",
                          "esr_last_layer",
                          "esr_all_layers",
                          "block_density",
                          "token_density",
                          "pv_density",
                          "read_share",
                          "cache_share",
                          "prefill_ms_p50",
                          "select_ms_p50",
                          "fallback_share",
                          "joules_per_sample",
                          "joules_per_token"}) {
    columns.push_back({key, ""});
  }
  if (several_runs) columns.push_back({"run", ""});
  return columns;
}

std::optional<double> p50(const std::optional<runs::Spread>& spread) {
  return spread ? std::optional(spread->p50) : std::nullopt;
}

std::optional<double> p95(const std::optional<runs::Spread>& spread) {
  return spread ? std::optional(spread->p95) : std::nullopt;
}

std::vector<Value> result_row(const runs::Cell& cell) {
  std::optional<double> value, low, high;
  if (cell.score) value = cell.score->value;
  if (cell.score && cell.score->interval) {
    low = cell.score->interval->low;
    high = cell.score->interval->high;
  }
  const runs::Sparsity& sparsity = cell.sparsity;
  const runs::Latency& time = cell.latency;
  return {text_or_null(cell.model),
          cell.mode,
          cell.task,
          text_or_null(cell.category),
          cell.length == 0 ? Value() : count(cell.length),
          text_or_null(cell.metric),
          number(value, kPercent),
          number(low, kPercent),
          number(high, kPercent),
          count(cell.scored),
          count(cell.planned),
          number(sparsity.msr),
          number(sparsity.esr_last_query),
          number(p50(time.ttft), 1, 3),
          number(p95(time.ttft), 1, 3),
          number(p50(time.tpot), 1, 3),
          time.peak_bytes ? count(*time.peak_bytes) : Value(),
          number(sparsity.esr_last_layer),
          number(sparsity.esr_all_layers),
          number(sparsity.block_density),
          number(sparsity.token_density()),
          number(sparsity.pv_density),
          number(sparsity.read_share),
          number(sparsity.cache_share),
          number(p50(time.prefill), 1, 3),
          number(time.select, 1, 3),
          number(sparsity.fallback_share),
          number(time.joules, 1, 3),
          number(time.joules_per_token, 1, 3)};
}

Json json_of(const Value& value) {
  return std::visit(
      [](const auto& held) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::monostate>) {
          return nullptr;
        } else {
          return held;
        }
      },
      value);
}

// Half the interval's width as a normal standard error: what lm-eval calls <metric>_stderr.
Json standard_error(const runs::Cell& cell) {
  if (!cell.score || !cell.score->interval) return nullptr;
  const auto& interval = *cell.score->interval;
  return json_of(number((interval.high - interval.low) / (2 * runs::kNormal975), kPercent));
}

Json nested_cell(const runs::Cell& cell, const std::vector<Column>& columns) {
  const std::vector<Value> row = result_row(cell);
  const std::string metric = cell.metric.empty() ? "score" : cell.metric;
  Json out = Json::object();
  out["alias"] =
      cell.length == 0 ? cell.task : fmt::format("{} @ {}", cell.task, format_length(cell.length));
  out[metric + ",none"] = json_of(row[6]);
  out[metric + "_stderr,none"] = standard_error(cell);
  for (std::size_t i = 3; i < row.size(); ++i) out[columns[i].key] = json_of(row[i]);
  out["failed"] = cell.failed;
  out["truncated"] = cell.truncated;
  out["rule"] = cell.score ? Json(cell.score->rule) : Json(nullptr);
  return out;
}

// What a run was, without its samples.
Json manifest(const ReportInput::Run& run) {
  const runs::RunSpec& spec = run.data.spec;
  Json data_ids = Json::object();
  for (const auto& [data, id] : spec.data_ids) data_ids[runs::to_string(data)] = id;
  return {{"run", run.name},
          {"date", spec.created.empty() ? Json(nullptr) : Json(spec.created)},
          {"config", spec.settings},
          {"environment", spec.environment},
          {"data_ids", data_ids},
          {"source_ids", spec.source_ids}};
}

// results[task][mode][length or "all"]; with several runs or models the mode carries their name.
void add_nested(const ReportInput& input, const Subject& subject,
                const std::vector<Column>& columns, Json& out) {
  const runs::Summary& summary = input.runs[subject.run].summary;
  for (const auto* cells : {&summary.cells, &summary.by_length, &summary.overall}) {
    for (const runs::Cell& cell : *cells) {
      if (cell.model != subject.model) continue;
      const std::string series = series_name(subject, cell.mode);
      const std::string length = cell.length == 0 ? "all" : std::to_string(cell.length);
      out["results"][cell.task][series][length] = nested_cell(cell, columns);
      out["n-samples"][cell.task][series][length] = {{"original", cell.planned},
                                                     {"effective", cell.scored}};
    }
  }
}

Json nested_results(const ReportInput& input, const std::vector<Column>& columns) {
  Json out = Json::object();
  out["schema_version"] = runs::kSchemaVersion;
  out["model_name"] = nullptr;
  out["results"] = Json::object();
  out["n-samples"] = Json::object();
  const std::vector<Subject> all = subjects(input);
  if (all.size() == 1) out["model_name"] = all.front().model;
  for (const Subject& subject : all) add_nested(input, subject, columns, out);
  out["higher_is_better"] = true;
  Json& runs = out["runs"] = Json::array();
  for (const auto& run : input.runs) runs.push_back(manifest(run));
  return out;
}

}  // namespace

Document results_document(const ReportInput& input) {
  const bool several = input.runs.size() > 1;
  Sheet sheet{"results", result_columns(several), {}, {}};
  sheet.nested = nested_results(input, sheet.columns);
  for (const auto& run : input.runs) {
    for (const auto* cells : {&run.summary.cells, &run.summary.by_length, &run.summary.overall}) {
      for (const runs::Cell& cell : *cells) {
        sheet.rows.push_back(result_row(cell));
        if (several) sheet.rows.back().emplace_back(run.name);
      }
    }
  }
  Document document{"results", "Results", "", {}, {}, {}};
  document.sheets.push_back(std::move(sheet));
  return document;
}

}  // namespace elastic::reports
