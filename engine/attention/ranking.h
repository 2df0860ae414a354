#pragma once

// What selections rank by: scores of keys, the best of them.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>

#include "engine/attention/head_mode.h"

namespace elastic::engine {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// int64 [..., count]: where the largest scores of each row [..., n] stand, the largest first; of
/// equal ones the first. All of a shorter row.
at::Tensor best_indices(const at::Tensor& scores, std::int64_t count);

/// The same as a table, bool [..., n].
at::Tensor best_of_rows(const at::Tensor& scores, std::int64_t count);

/// bool [rows, n] of weights fp64 [rows, n]: the largest of each row until their sum is more than
/// `mass`, that which takes it there and those equal to it among them.
at::Tensor heaviest_of_rows(const at::Tensor& weights, double mass);

/// Scaled scores, fp32 [group, rows, tokens], of the query heads of one KV head.
at::Tensor key_scores(const AttentionInput& input, std::int64_t kv_head);

}  // namespace elastic::engine
