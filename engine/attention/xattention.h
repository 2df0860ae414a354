#pragma once

// XAttention (sparse_attention spec 4): blocks chosen by antidiagonal sums. Queries and keys are
// cut into strips of `stride` tokens; a pair of strips is scored along one antidiagonal,
//   A[a, b] = sum_t q[a S + S-1-t] . k[b S + t] / (sqrt(d) S),
// a causal softmax over the strips of a row gives their probabilities, and the sum over the strips
// of a block pair is its mass. A query block keeps the blocks of most mass until a share tau of the
// row's whole mass is reached. Each query head has its own mask. Runs on the device of its input,
// in fp32.
//
//   const at::Tensor mass = strip_block_mass(input, 0, {.stride = 16, .block = 128});
//   const at::Tensor keep = select_blocks(mass, tau, XattentionRule::kExact, {.first_block = 0});

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "engine/attention/head_mode.h"

namespace elastic::engine {

/// Which blocks reach the threshold.
enum class XattentionRule {
  kExact,   // the smallest set with block 0 and the diagonal whose mass reaches the threshold
  kPublic,  // as the published code: rows of the first chunk take about one block more
};

struct StripSizes {
  std::int64_t stride = 16;         // tokens a strip; divides `block`
  std::int64_t block = kMaskBlock;  // tokens a side
};

/// Mass of block pairs [group, query blocks, key blocks] of the query heads of one KV head, fp64.
/// `input.q_start` is a multiple of the block. Key blocks end with that of the last row.
at::Tensor strip_block_mass(const AttentionInput& input, std::int64_t kv_head,
                            const StripSizes& sizes);

/// Where a call's query blocks stand.
struct BlockRows {
  std::int64_t first_block = 0;   // absolute block of the first row
  std::int64_t chunk_blocks = 0;  // blocks of the published code's first chunk (kPublic)
};

/// What a kernel must know to choose as strip_block_mass() and select_blocks() do.
struct StripRule {
  StripSizes sizes;
  std::span<const double> taus;  // one, or one a query head
  XattentionRule rule = XattentionRule::kExact;
  std::int64_t chunk_blocks = 0;
};

/// bool [group, query blocks, key blocks] of the mass; `tau` fp64, [group, 1, 1] or a scalar.
at::Tensor select_blocks(const at::Tensor& mass, const at::Tensor& tau, XattentionRule rule,
                         const BlockRows& rows);

/// Tokens of the published code's query chunk for a prompt of `tokens`.
std::int64_t default_xattention_chunk(std::int64_t tokens);

}  // namespace elastic::engine
