#pragma once

// FlashPrefill (sparse_attention_2 spec 2): blocks chosen by the products of queries with mean
// keys. A query sees the mean m_b of a block once all its keys stand before it; a block pair scores
//   E[a, b] = sum over queries i of block a that see b of exp(q_i . m_b / sqrt(d) - M_a),
// M_a the largest product of the query block. A query block keeps the blocks that reach a share of
// its best score, and those that stand near. Each query head has its own blocks. Runs on the device
// of its input, in fp32; a block of queries is chosen for from its own rows and the keys before it.
//
//   const at::Tensor scores = flash_prefill_scores(input, 128);
//   const at::Tensor keep = select_by_share(scores, input, {.alpha = 0.12});

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/attention/head_mode.h"

namespace elastic::engine {

struct FlashPrefillOptions {
  double alpha = 0.18;  // share of the row's best score that a block has to reach
  std::int64_t block = kMaskBlock;
  // In blocks: the first, the nearest (the diagonal one counts), last rows that see everything, and
  // how many of the best are kept at least.
  std::int64_t sink = 2, window = 4, last = 2, min = 0;
};

/// E, summed in fp32, as fp64 [query heads, query blocks, key blocks]. `input.q_start` is a
/// multiple of the block. Key blocks end with that of the last row.
at::Tensor flash_prefill_scores(const AttentionInput& input, std::int64_t block);

/// bool [query heads, query blocks, key blocks] of the scores.
at::Tensor select_by_share(const at::Tensor& scores, const AttentionInput& input,
                           const FlashPrefillOptions& options);

}  // namespace elastic::engine
