// What the router decided: MSR, ESR and block density requested against achieved, and for every
// layer and KV head the share of samples that ran it sparse, by task and by length.

#include <fmt/format.h>

#include "base/text.h"
#include "engine/api/mode_list.h"
#include "reports/cells.h"
#include "reports/routing_grid.h"

namespace elastic::reports {
namespace {

Heatmap heatmap_of(const RoutingGrid& grid, std::string title) {
  Heatmap map{std::move(title), "KV head", "layer", {}, {}, {}, {}, {}};
  std::size_t heads = 0;
  for (std::size_t layer = 0; layer < grid.sparse.size(); ++layer) {
    map.y_labels.push_back(std::to_string(layer));
    map.values.emplace_back();
    map.counts.emplace_back();
    heads = std::max(heads, grid.sparse[layer].size());
    for (std::size_t head = 0; head < grid.sparse[layer].size(); ++head) {
      map.values.back().push_back(grid.share(layer, head));
      map.counts.back().push_back(grid.n);
    }
  }
  for (std::size_t head = 0; head < heads; ++head) map.x_labels.push_back(std::to_string(head));
  return map;
}

// What a mode asks of its heads: a number of its own; where one mode has them all, what it then
// is; a router decides itself.
Value requested_msr(const runs::Cell& cell) {
  const std::string_view mode = cell.mode;
  for (const std::string_view option : {"msr=", "sparsity="}) {
    const std::size_t at = mode.find(option);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = mode.substr(at + option.size());
    if (const auto value = parse_double(rest.substr(0, rest.find(',')))) return number(*value);
  }
  if (engine::router_decides(mode)) return std::string("router");
  return number(cell.sparsity.msr);
}

// Smallest and largest MSR of the samples, as "0.58-0.67".
Value msr_range(const ReportInput::Run& run, const runs::Cell& cell) {
  std::vector<double> values;
  for (const std::size_t i : cell.samples) {
    if (run.data.samples[i].msr) values.push_back(*run.data.samples[i].msr);
  }
  if (values.empty()) return std::monostate();
  return fmt::format("{:.3f}-{:.3f}", *runs::quantile(values, 0), *runs::quantile(values, 1));
}

Table decisions_table(const ReportInput& input, const std::vector<Subject>& all) {
  Table table{"router", "Sparsity requested and achieved", "", {}, {}, {}};
  const bool several = !all.empty() && !all.front().label.empty();
  if (several) table.columns.push_back({"run", "Run"});
  for (Column column : std::vector<Column>{{"suite", "Suite"},
                                           {"length", "Length"},
                                           {"mode", "Mode"},
                                           {"requested_msr", "MSR requested", 2},
                                           {"msr", "MSR", 3},
                                           {"msr_range", "MSR range"},
                                           {"esr_last_query", "ESR last query", 3},
                                           {"esr_last_layer", "ESR last layer", 3},
                                           {"esr_all_layers", "ESR all layers", 3},
                                           {"block_density", "Block density", 3},
                                           {"token_density", "Token density", 3},
                                           {"pv_density", "PV density", 3},
                                           {"read_share", "Read share", 3},
                                           {"cache_share", "Cache share", 3},
                                           {"n", "n"}}) {
    table.columns.push_back(std::move(column));
  }
  for (const Subject& subject : all) {
    const ReportInput::Run& run = input.runs[subject.run];
    std::vector<const runs::Cell*> cells;
    for (const runs::Cell& cell : run.summary.by_length) cells.push_back(&cell);
    for (const runs::Cell& cell : run.summary.overall) {
      if (!cell.samples.empty() && run.data.samples[cell.samples[0]].length == 0)
        cells.push_back(&cell);
    }
    std::string group;
    for (const runs::Cell* cell : cells) {
      const runs::Sparsity& sparsity = cell->sparsity;
      if (cell->model != subject.model || (!sparsity.msr && !sparsity.block_density)) continue;
      if (!table.rows.empty() && cell->mode != group) table.rules.push_back(table.rows.size());
      group = cell->mode;
      std::vector<Cell> row;
      if (several) row.push_back(reports::cell(subject.label));
      for (Value value : std::vector<Value>{
               suite_title(input, cell->task),
               cell->length == 0 ? Value() : Value(format_length(cell->length)), cell->mode,
               requested_msr(*cell), number(sparsity.msr), msr_range(run, *cell),
               number(sparsity.esr_last_query), number(sparsity.esr_last_layer),
               number(sparsity.esr_all_layers), number(sparsity.block_density),
               number(sparsity.token_density()), number(sparsity.pv_density),
               number(sparsity.read_share), number(sparsity.cache_share),
               count(static_cast<std::int64_t>(cell->samples.size()))}) {
        row.push_back(reports::cell(std::move(value)));
      }
      table.rows.push_back(std::move(row));
    }
  }
  table.caption =
      "MSR: share of (layer, KV head) pairs in sparse mode, mean over samples and the range of "
      "single samples; router: no number is asked for, the router chooses per prompt. ESR: share "
      "of tokens pruned, 0 for full heads, averaged over heads: last layer at the last query, last "
      "layer over the causal area, all layers over the causal area. Block density: computed blocks "
      "over causally valid blocks of the prefill; token density: the same in pairs of query and "
      "key. PV density: of skip-softmax, tiles whose values were used. Read share: bytes that "
      "decode steps read of the cache and to choose among it, over those of dense steps. Cache "
      "share: what the K/V cache keeps. MSR says how many heads may leave out keys, not what work "
      "remains: methods are compared by the other columns, prefill and decode apart.";
  return table;
}

struct Routed {
  Subject subject;
  std::string mode;
};

void add_sheet_rows(const ReportInput& input, const Routed& routed, bool tell_apart, Sheet& sheet) {
  const ReportInput::Run& run = input.runs[routed.subject.run];
  for (const runs::Cell& cell : run.summary.cells) {
    if (cell.model != routed.subject.model || cell.mode != routed.mode) continue;
    RoutingGrid grid;
    for (const std::size_t i : cell.samples) grid.add(run.data.samples[i].routing);
    for (std::size_t layer = 0; layer < grid.sparse.size() && grid.n > 0; ++layer) {
      for (std::size_t head = 0; head < grid.sparse[layer].size(); ++head) {
        std::vector<Value> row{cell.task,
                               cell.length == 0 ? Value() : count(cell.length),
                               count(static_cast<std::int64_t>(layer)),
                               count(static_cast<std::int64_t>(head)),
                               number(grid.share(layer, head)),
                               count(grid.n)};
        if (tell_apart) {
          row.emplace_back(cell.mode);
          row.emplace_back(cell.model);
          row.emplace_back(run.name);
        }
        sheet.rows.push_back(std::move(row));
      }
    }
  }
}

Figure routing_figure(const ReportInput& input, const Routed& routed, bool by_task) {
  const ReportInput::Run& run = input.runs[routed.subject.run];
  const std::string name = series_name(routed.subject, routed.mode);
  Figure figure{by_task ? "routing_by_task" : "routing_by_length",
                fmt::format("{}: head routing by {}", name, by_task ? "task" : "length"),
                "",
                {}};
  const auto add = [&](const std::string& task, std::int64_t length, const std::string& title) {
    const RoutingGrid grid = routing_of(run, routed.subject.model, routed.mode, task, length);
    if (grid.n == 0) return;
    figure.panels.emplace_back(heatmap_of(grid, fmt::format("{} (n = {})", title, grid.n)));
  };
  if (by_task) {
    for (const std::string& task : run.summary.tasks) add(task, 0, short_task(task));
  } else {
    for (const std::int64_t length : run.summary.lengths) add("", length, format_length(length));
  }
  figure.scale_title = "share of samples in sparse mode";
  figure.caption = fmt::format(
      "Share of the samples whose router put that layer's KV head in sparse mode (dark: always "
      "full attention, bright: always sparse), {}.",
      by_task ? "one grid per task, all lengths together"
              : "one grid per length, all tasks together");
  return figure;
}

}  // namespace

Document head_routing_document(const ReportInput& input) {
  Document document{"head_routing", "Router decisions", "", {}, {}, {}};
  const std::vector<Subject> all = subjects(input);
  std::vector<Routed> routed;
  for (const Subject& subject : all) {
    for (const std::string& mode : input.runs[subject.run].summary.modes) {
      if (has_head_choice(input.runs[subject.run], subject.model, mode)) {
        routed.push_back({subject, mode});
      }
    }
  }
  const bool tell_apart = routed.size() > 1;
  Sheet sheet{"head_routing", {}, {}, {}};
  for (const char* key : {"task", "length", "layer", "kv_head", "sparse_share", "n"}) {
    sheet.columns.push_back({key, ""});
  }
  if (tell_apart) {
    for (const char* key : {"mode", "model", "run"}) sheet.columns.push_back({key, ""});
  }
  for (std::size_t i = 0; i < routed.size(); ++i) {
    add_sheet_rows(input, routed[i], tell_apart, sheet);
    for (const bool by_task : {true, false}) {
      Figure figure = routing_figure(input, routed[i], by_task);
      if (i > 0) figure.id += "_" + std::to_string(i + 1);
      if (!figure.panels.empty()) document.figures.push_back(std::move(figure));
    }
  }
  document.sheets.push_back(std::move(sheet));
  Table decisions = decisions_table(input, all);
  if (!decisions.rows.empty()) document.tables.push_back(std::move(decisions));
  return document;
}

}  // namespace elastic::reports
