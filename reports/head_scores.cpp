#include "reports/head_scores.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/text.h"
#include "reports/cells.h"

namespace elastic::reports {
namespace {

constexpr int kDigits = 6;

std::vector<double> flat(const HeadGrid& grid) {
  std::vector<double> values;
  for (const std::vector<double>& layer : grid) {
    values.insert(values.end(), layer.begin(), layer.end());
  }
  return values;
}

Heatmap heatmap_of(const HeadGrid& grid, std::string title, const char* heads) {
  Heatmap map{std::move(title), heads, "layer", {}, {}, {}, {}, {}};
  for (std::size_t layer = 0; layer < grid.size(); ++layer) {
    map.y_labels.push_back(std::to_string(layer));
    map.values.emplace_back(grid[layer].begin(), grid[layer].end());
  }
  for (std::size_t head = 0; head < grid[0].size(); ++head) {
    map.x_labels.push_back(std::to_string(head));
  }
  return map;
}

Figure score_figure(const HeadScores& scores) {
  Figure figure{"retrieval_scores", fmt::format("Retrieval scores, {}", scores.model), "", {}};
  figure.panels = {
      heatmap_of(scores.scores, "Query heads", "query head"),
      heatmap_of(by_kv_head(scores), "KV heads, mean of their query heads", "KV head")};
  const std::vector<double> all = flat(scores.scores);
  figure.scale_max = std::max(1e-6, *std::max_element(all.begin(), all.end()));
  figure.scale_title = "attention mass on the needle";
  figure.caption =
      fmt::format("Mean over {} prompts of {}.", scores.samples, join(scores.tasks, ", "));
  return figure;
}

Figure rate_figure(const std::vector<HeadRates>& rates) {
  Figure figure{"full_rates", fmt::format("{}: how often heads are full", rates[0].mode), "", {}};
  for (const HeadRates& one : rates) {
    figure.panels.emplace_back(
        heatmap_of(one.full(),
                   fmt::format("{} (n = {})", one.task.empty() ? "all tasks" : short_task(one.task),
                               one.routing.n),
                   "KV head"));
  }
  figure.scale_title = "share of samples in full attention";
  return figure;
}

// The KV heads that look most, the best first.
Table best_table(const HeadScores& scores, const std::vector<HeadRates>& rates) {
  constexpr std::size_t kShown = 16;
  Table table{"retrieval_heads", "Heads that look at the needle", "", {}, {}, {}};
  table.columns = {{"rank", "Rank"},
                   {"layer", "Layer"},
                   {"kv_head", "KV head"},
                   {"score", "Score", 4},
                   {"best_query_head", "Best query head", 4}};
  if (!rates.empty()) table.columns.push_back({"full_rate", "Full", 2});
  const HeadGrid grid = by_kv_head(scores);
  const std::vector<double> values = flat(grid);
  const std::size_t heads = grid[0].size(), group = scores.scores[0].size() / heads;
  std::vector<std::size_t> order = ascending_heads(grid);
  std::reverse(order.begin(), order.end());
  for (std::size_t i = 0; i < std::min(kShown, order.size()); ++i) {
    const std::size_t layer = order[i] / heads, head = order[i] % heads;
    const auto first = scores.scores[layer].begin() + static_cast<std::ptrdiff_t>(head * group);
    const double best = *std::max_element(first, first + static_cast<std::ptrdiff_t>(group));
    std::vector<Cell> row{
        cell(count(static_cast<std::int64_t>(i) + 1)),
        cell(count(static_cast<std::int64_t>(layer))), cell(count(static_cast<std::int64_t>(head))),
        cell(number(values[order[i]], 1, kDigits)), cell(number(best, 1, kDigits))};
    if (!rates.empty()) row.push_back(cell(number(1 - rates[0].routing.share(layer, head))));
    table.rows.push_back(std::move(row));
  }
  table.caption =
      "Score: mean over prompts of the attention mass that the last position puts on the tokens of "
      "the answer (equation 9), averaged over the query heads of a KV head.";
  return table;
}

Table agreement_table(const HeadScores& scores, const std::vector<HeadRates>& rates) {
  Table table{"rank_agreement", "Retrieval scores against the router", "", {}, {}, {}};
  table.columns = {{"task", "Task"}, {"spearman", "Spearman", 3}, {"n", "n"}};
  const std::vector<double> values = flat(by_kv_head(scores));
  for (const HeadRates& one : rates) {
    table.rows.push_back({cell(one.task.empty() ? std::string("all") : one.task),
                          cell(number(runs::spearman(values, flat(one.full())))),
                          cell(count(one.routing.n))});
  }
  table.caption = fmt::format(
      "Rank correlation over all KV heads between their score and the share of samples in which {} "
      "keeps them full; unknown where the router treats all heads alike.",
      rates[0].mode);
  return table;
}

Sheet score_sheet(const HeadScores& scores) {
  Sheet sheet{"retrieval_scores", {}, {}, {}};
  for (const char* key : {"layer", "query_head", "kv_head", "score", "kv_score", "samples"}) {
    sheet.columns.push_back({key, ""});
  }
  const HeadGrid grid = by_kv_head(scores);
  for (std::size_t layer = 0; layer < grid.size(); ++layer) {
    const std::size_t group = scores.scores[layer].size() / grid[layer].size();
    for (std::size_t h = 0; h < scores.scores[layer].size(); ++h) {
      sheet.rows.push_back(
          {count(static_cast<std::int64_t>(layer)), count(static_cast<std::int64_t>(h)),
           count(static_cast<std::int64_t>(h / group)), number(scores.scores[layer][h], 1, kDigits),
           number(grid[layer][h / group], 1, kDigits), count(scores.samples)});
    }
  }
  return sheet;
}

Sheet rate_sheet(const std::vector<HeadRates>& rates) {
  Sheet sheet{"full_rates", {}, {}, {}};
  for (const char* key : {"mode", "task", "layer", "kv_head", "full_rate", "n"}) {
    sheet.columns.push_back({key, ""});
  }
  for (const HeadRates& one : rates) {
    const HeadGrid full = one.full();
    for (std::size_t layer = 0; layer < full.size(); ++layer) {
      for (std::size_t head = 0; head < full[layer].size(); ++head) {
        sheet.rows.push_back({one.mode, one.task.empty() ? std::string("all") : one.task,
                              count(static_cast<std::int64_t>(layer)),
                              count(static_cast<std::int64_t>(head)), number(full[layer][head]),
                              count(one.routing.n)});
      }
    }
  }
  return sheet;
}

}  // namespace

HeadGrid by_kv_head(const HeadScores& scores) {
  HeadGrid grid;
  for (const std::vector<double>& layer : scores.scores) {
    const auto heads = static_cast<std::size_t>(scores.heads_kv), group = layer.size() / heads;
    grid.emplace_back(heads, 0.0);
    for (std::size_t h = 0; h < layer.size(); ++h) {
      grid.back()[h / group] += layer[h] / static_cast<double>(group);
    }
  }
  return grid;
}

std::vector<std::size_t> ascending_heads(const HeadGrid& kv_heads) {
  const std::vector<double> values = flat(kv_heads);
  std::vector<std::size_t> order(values.size());
  std::iota(order.rbegin(), order.rend(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  return order;
}

HeadGrid gates_of_order(std::span<const std::size_t> order, std::size_t heads_kv) {
  HeadGrid gates(order.size() / heads_kv, std::vector<double>(heads_kv));
  for (std::size_t i = 0; i < order.size(); ++i) {
    gates[order[i] / heads_kv][order[i] % heads_kv] =
        static_cast<double>(i) / static_cast<double>(order.size());
  }
  return gates;
}

HeadGrid HeadRates::full() const {
  HeadGrid grid;
  for (std::size_t layer = 0; layer < routing.sparse.size(); ++layer) {
    grid.emplace_back();
    for (std::size_t head = 0; head < routing.sparse[layer].size(); ++head) {
      grid.back().push_back(1 - routing.share(layer, head));
    }
  }
  return grid;
}

std::vector<HeadRates> head_rates(const ReportInput& input, const HeadScores& scores) {
  const ReportInput::Run& run = input.runs.at(0);
  for (const std::string& model : run.summary.models) {
    for (const std::string& mode : run.summary.modes) {
      if (!has_head_choice(run, model, mode)) continue;
      std::vector<HeadRates> rates{{mode, "", routing_of(run, model, mode, "", 0)}};
      for (const std::string& task : run.summary.tasks) {
        HeadRates one{mode, task, routing_of(run, model, mode, task, 0)};
        if (one.routing.n > 0) rates.push_back(std::move(one));
      }
      const auto& sparse = rates[0].routing.sparse;
      if (sparse.size() == scores.scores.size() && std::ssize(sparse[0]) == scores.heads_kv) {
        return rates;
      }
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("{}: {} layers x {} KV heads, but the model has {} x {}", run.name,
                      sparse.size(), sparse[0].size(), scores.scores.size(), scores.heads_kv));
    }
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: no mode of this run decides head by head (fa-ssa does)", run.name));
}

Document head_scores_document(const HeadScores& scores, const std::vector<HeadRates>& rates) {
  Document document{"retrieval_heads", "Retrieval heads", "", {}, {}, {}};
  document.intro =
      "How much every head looks at the needle: the attention mass that the last position of a "
      "prompt puts on the tokens of its answer under full attention, mean over prompts.";
  document.sheets = {score_sheet(scores)};
  document.tables = {best_table(scores, rates)};
  document.figures = {score_figure(scores)};
  if (!rates.empty()) {
    document.sheets.push_back(rate_sheet(rates));
    document.tables.push_back(agreement_table(scores, rates));
    document.figures.push_back(rate_figure(rates));
  }
  return document;
}

std::string pattern_text(const HeadGrid& kv_heads) {
  std::string text;
  for (const std::vector<double>& layer : kv_heads) {
    text += fmt::format("{}\n", fmt::join(layer, "\t"));
  }
  return text;
}

}  // namespace elastic::reports
