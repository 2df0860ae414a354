#include "reports/task_similarity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "reports/cells.h"

namespace elastic::reports {
namespace {

// Qwen3-4B, layer 0 (figure 9): numbers as printed.
constexpr std::size_t kPaperTasks = 5;
using PaperMatrix = std::array<std::array<double, kPaperTasks>, kPaperTasks>;
constexpr std::array<const char*, kPaperTasks> kPaperNames{"S-Doc QA", "M-Hop QA", "Summ", "Code",
                                                           "In-Context"};
constexpr PaperMatrix kPaperBefore{{{1, .75, .74, .68, .75},
                                    {.75, 1, .75, .69, .74},
                                    {.74, .75, 1, .72, .73},
                                    {.68, .69, .72, 1, .65},
                                    {.75, .74, .73, .65, 1}}};
constexpr PaperMatrix kPaperAfter{{{1, .50, .22, .04, .22},
                                   {.50, 1, .22, .04, .22},
                                   {.22, .22, 1, .10, .27},
                                   {.04, .04, .10, 1, .12},
                                   {.22, .22, .27, .12, 1}}};

struct Moments {
  std::vector<double> mean, square;  // sums over samples of x and x*x, until divided
  double n = 0;
};

Moments moments_of(const std::vector<std::vector<float>>& vectors) {
  Moments m{std::vector<double>(vectors.front().size()), {}, static_cast<double>(vectors.size())};
  m.square = m.mean;
  for (const std::vector<float>& x : vectors) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      m.mean[i] += x[i] / m.n;
      m.square[i] += static_cast<double>(x[i]) * x[i];
    }
  }
  return m;
}

// Equation 16 for one pair.
std::optional<double> similarity(const Moments& u, const Moments& v) {
  constexpr double kEpsilon = 1e-8;
  double dot = 0, norm_u = 0, norm_v = 0;
  for (std::size_t i = 0; i < u.mean.size(); ++i) {
    const double variance = (u.square[i] + v.square[i]) / (u.n + v.n) + kEpsilon;
    dot += u.mean[i] * v.mean[i] / variance;
    norm_u += u.mean[i] * u.mean[i] / variance;
    norm_v += v.mean[i] * v.mean[i] / variance;
  }
  const double cosine = dot / std::sqrt(norm_u * norm_v);
  if (!std::isfinite(cosine)) return std::nullopt;
  return std::clamp(cosine, -1.0, 1.0);
}

SimilarityMatrix paper_matrix(const PaperMatrix& printed) {
  SimilarityMatrix matrix;
  for (const auto& row : printed) matrix.emplace_back(row.begin(), row.end());
  return matrix;
}

TaskSimilarity paper() {
  TaskSimilarity shown{"paper", 0, {}, {}, paper_matrix(kPaperBefore), paper_matrix(kPaperAfter)};
  shown.tasks.assign(kPaperNames.begin(), kPaperNames.end());
  return shown;
}

// Of two different tasks.
std::vector<double> pairs_of(const SimilarityMatrix& matrix) {
  std::vector<double> values;
  for (std::size_t u = 0; u < matrix.size(); ++u) {
    for (std::size_t v = u + 1; v < matrix.size(); ++v) {
      if (matrix[u][v]) values.push_back(*matrix[u][v]);
    }
  }
  return values;
}

void add_pairs(std::vector<Cell>& row, const SimilarityMatrix& matrix) {
  const std::vector<double> values = pairs_of(matrix);
  row.push_back(cell(number(runs::mean(values))));
  row.push_back(cell(number(runs::quantile(values, 0))));
  row.push_back(cell(number(runs::quantile(values, 1))));
}

Table table_of(const std::vector<TaskSimilarity>& routers) {
  Table table{"task_similarity", "Similarity of two different tasks", "", {}, {}, {}};
  table.columns = {
      {"router", "Router"},          {"layer", "Layer"},       {"tasks", "Tasks"},
      {"before", "Before: mean", 3}, {"before_min", "min", 3}, {"before_max", "max", 3},
      {"after", "After: mean", 3},   {"after_min", "min", 3},  {"after_max", "max", 3}};
  std::vector<TaskSimilarity> shown = routers;
  table.rules = {shown.size()};
  shown.push_back(paper());
  for (const TaskSimilarity& router : shown) {
    std::vector<Cell> row{cell(router.router), cell(count(router.layer)),
                          cell(count(static_cast<std::int64_t>(router.tasks.size())))};
    add_pairs(row, router.before);
    add_pairs(row, router.after);
    table.rows.push_back(std::move(row));
  }
  table.caption =
      "Over all pairs of tasks, before and after the router's task MLP; 1: the tasks look alike to "
      "the router, 0: it tells them apart. Paper: Qwen3-4B, printed in its figure 9; other tasks "
      "and another model, so compare the shape.";
  return table;
}

Heatmap heatmap_of(const TaskSimilarity& router, const SimilarityMatrix& matrix,
                   const char* title) {
  Heatmap map{title, "", "", {}, {}, matrix, {}, 2};
  for (const std::string& task : router.tasks) map.x_labels.push_back(short_task(task));
  map.y_labels = map.x_labels;
  return map;
}

Figure figure_of(const TaskSimilarity& router, std::string id) {
  Figure figure{std::move(id),
                fmt::format("Task similarity, {}, layer {}", router.router, router.layer),
                "",
                {}};
  figure.panels = {heatmap_of(router, router.before, "Pooled keys, before the task MLP"),
                   heatmap_of(router, router.after, "After the task MLP")};
  figure.scale_title = "similarity";
  for (const SimilarityMatrix* matrix : {&router.before, &router.after}) {
    for (const double value : pairs_of(*matrix)) {
      figure.scale_min = std::min(figure.scale_min, std::floor(value * 10) / 10);
    }
  }
  if (!router.samples.empty()) {
    const auto [least, most] = std::minmax_element(router.samples.begin(), router.samples.end());
    figure.caption = *least == *most ? fmt::format("{} samples a task.", *least)
                                     : fmt::format("{} to {} samples a task.", *least, *most);
  }
  return figure;
}

Sheet sheet_of(const std::vector<TaskSimilarity>& routers) {
  Sheet sheet{"task_similarity", {}, {}, {}};
  for (const char* key :
       {"router", "layer", "task_a", "task_b", "before", "after", "samples_a", "samples_b"}) {
    sheet.columns.push_back({key, ""});
  }
  for (const TaskSimilarity& router : routers) {
    for (std::size_t u = 0; u < router.tasks.size(); ++u) {
      for (std::size_t v = 0; v < router.tasks.size(); ++v) {
        sheet.rows.push_back({router.router, count(router.layer), router.tasks[u], router.tasks[v],
                              number(router.before[u][v], 1, 6), number(router.after[u][v], 1, 6),
                              count(router.samples[u]), count(router.samples[v])});
      }
    }
  }
  return sheet;
}

}  // namespace

SimilarityMatrix similarity_matrix(std::span<const std::vector<std::vector<float>>> tasks) {
  std::vector<Moments> moments;
  for (const auto& vectors : tasks) moments.push_back(moments_of(vectors));
  SimilarityMatrix matrix;
  for (const Moments& u : moments) {
    matrix.emplace_back();
    for (const Moments& v : moments) matrix.back().push_back(similarity(u, v));
  }
  return matrix;
}

TaskSimilarity task_similarity(std::string router, std::int64_t layer,
                               std::vector<TaskFeatures> tasks) {
  TaskSimilarity result{std::move(router), layer, {}, {}, {}, {}};
  std::vector<std::vector<std::vector<float>>> before, after;
  for (TaskFeatures& task : tasks) {
    result.samples.push_back(static_cast<std::int64_t>(task.pooled_keys.size()));
    result.tasks.push_back(std::move(task.task));
    before.push_back(std::move(task.pooled_keys));
    after.push_back(std::move(task.task_mlp));
  }
  result.before = similarity_matrix(before);
  result.after = similarity_matrix(after);
  return result;
}

Document task_similarity_document(const std::vector<TaskSimilarity>& routers) {
  Document document{"task_similarity", "Task similarity", "", {}, {}, {}};
  document.intro =
      "How alike two tasks look to the router: a task's vectors are those of its samples, all KV "
      "heads of a layer side by side; the similarity of a pair is the cosine of their means after "
      "every element was divided by its root mean square over the samples of both (equations "
      "15-16). Before: pooled keys; after: the output of the task MLP.";
  document.tables = {table_of(routers)};
  document.sheets = {sheet_of(routers)};
  for (std::size_t i = 0; i < routers.size(); ++i) {
    document.figures.push_back(figure_of(routers[i], fmt::format("task_similarity_{}", i + 1)));
  }
  document.figures.push_back(figure_of(paper(), "task_similarity_paper"));
  return document;
}

}  // namespace elastic::reports
