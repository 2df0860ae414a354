#pragma once

// How far a router's task MLP separates tasks (paper equations 15-16, figures 5 and 9): cosine of
// the tasks' mean vectors, scaled by the pair's root mean square, for the pooled keys that the
// router reads and for what its task MLP makes of them.
//
//   documents.push_back(task_similarity_document({task_similarity("demo", 0, features)}));

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "reports/document.h"

namespace elastic::reports {

/// One task's samples, each a vector of heads_kv * head_dim values.
struct TaskFeatures {
  std::string task;
  std::vector<std::vector<float>> pooled_keys, task_mlp;
};

/// [task][task]; nothing where a mean is zero or a value is not finite.
using SimilarityMatrix = std::vector<std::vector<std::optional<double>>>;

/// For tasks u and v: sigma = sqrt(mean of x*x over the samples of both + 1e-8) element by element,
/// without subtracting the mean; M[u][v] = cosine(mean of u / sigma, mean of v / sigma). Every task
/// has at least one vector, all of one size.
SimilarityMatrix similarity_matrix(std::span<const std::vector<std::vector<float>>> tasks);

struct TaskSimilarity {
  std::string router;  // the model, or the setting it was trained with
  std::int64_t layer = 0;
  std::vector<std::string> tasks;
  std::vector<std::int64_t> samples;  // of each task
  SimilarityMatrix before, after;     // the task MLP
};

TaskSimilarity task_similarity(std::string router, std::int64_t layer,
                               std::vector<TaskFeatures> tasks);

/// Means over pairs, a pair of heatmaps for each entry, the paper's figure 9; sheet
/// `task_similarity`. All entries have the same tasks.
Document task_similarity_document(const std::vector<TaskSimilarity>& routers);

}  // namespace elastic::reports
