#pragma once

// What modes that estimate key blocks share, in ATen operations on the device of their input.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/attention/head_mode.h"
#include "engine/attention/mode_options.h"

namespace elastic::engine {

/// Blocks of `by` that hold x, the last perhaps not full.
inline std::int64_t divided(std::int64_t x, std::int64_t by) { return (x + by - 1) / by; }

/// Zeros behind dimension `dim` (from the end: 1 = last) up to `size`.
at::Tensor padded(const at::Tensor& x, std::int64_t dim, std::int64_t size);

/// [heads, tokens, dim] -> fp32 [heads, blocks, dim]: the mean of each block, of a last one that is
/// not full that of its tokens.
at::Tensor block_means(const at::Tensor& x, std::int64_t block);

/// int64 [query blocks, key blocks] of a call: query block - key block, both counted from position
/// 0. The causal blocks are those from 0 up.
at::Tensor block_distances(const AttentionInput& input, std::int64_t block);

/// `keep` [query heads, ...] of every head of a call as the choice for `heads`.
BlockChoice choice_of(const at::Tensor& keep, std::int64_t block, const AttentionInput& input,
                      const CandidateHeads& heads);

/// The option `block`: tokens a side, which divide kMaskBlock.
std::int64_t block_option(ModeOptions& options);

}  // namespace elastic::engine
