#pragma once

// How much a head looks at a needle (sparse_attention spec 11, elastic_attention equation 9): the
// attention mass that the newest row of a prompt puts on the needle's tokens. Only that row is
// scored, O(tokens x head_dim) a head.

#include <ATen/core/Tensor.h>

#include "engine/attention/head_mode.h"

namespace elastic::engine {

/// fp32 [heads_q]: of the last row of `input`, dense attention. `needle`: int64 positions.
at::Tensor retrieval_scores(const AttentionInput& input, const at::Tensor& needle);

}  // namespace elastic::engine
