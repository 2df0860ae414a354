#pragma once

// FlexPrefill (sparse_attention_2 spec 1): blocks chosen by what the last queries of a prompt see.
// Their attention, summed down columns and along diagonals, is the mass of tokens and of distances;
// a query head whose mean query predicts that attention well (a small Jensen-Shannon distance) is
// query-aware and chooses by mean queries and keys as well, any other takes columns and diagonals
// of blocks alone. Each query head has its own blocks. Runs on the device of its input: attention
// in fp32, sums and selection in fp64.
//
//   const FlexPrefillHeads heads = flex_prefill(input, {.gamma = 0.9});

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/attention/head_mode.h"

namespace elastic::engine {

struct FlexPrefillOptions {
  double gamma = 0.95;  // share of the mass to take
  double tau = 0.1;     // a head is query-aware below this distance
  std::int64_t block = kMaskBlock;
  std::int64_t min = 1024, max = 0;  // tokens of columns, and of diagonals; max 0 = no limit

  std::int64_t least_blocks() const { return (min + block - 1) / block; }
};

/// What is found of each query head.
struct FlexPrefillHeads {
  at::Tensor vertical, slash;  // fp64 [heads, blocks]: mass of key blocks and of diagonals, the
                               // last of which is the main one
  at::Tensor sqrt_jsd;         // fp64 [heads]
  at::Tensor query_aware;      // bool [heads]
  at::Tensor counts;           // int64 [heads, 2]: key blocks and diagonals taken
  at::Tensor keep;             // bool [heads, blocks, blocks]
};

/// Of a call that holds a whole prompt.
FlexPrefillHeads flex_prefill(const AttentionInput& input, const FlexPrefillOptions& options);

}  // namespace elastic::engine
