#pragma once

// What selections rank by: scores of keys, the best of them.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/attention/head_mode.h"

namespace elastic::engine {

/// bool [rows, n]: the `count` largest scores of each row [rows, n]; of equal ones the first.
at::Tensor best_of_rows(const at::Tensor& scores, std::int64_t count);

/// Scaled scores, fp32 [group, rows, tokens], of the query heads of one KV head.
at::Tensor key_scores(const AttentionInput& input, std::int64_t kv_head);

}  // namespace elastic::engine
